import { z } from '@hono/zod-openapi';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newRoutes } from './newRoutes.ts';
import { refusalOf } from './refusal.ts';

newRoutes();

function refused(schema: z.ZodType, value: unknown): string {
  const result = schema.safeParse(value);
  if (result.success) throw new Error('nothing was refused');
  const { code, message } = refusalOf(result.error);
  return `${code}: ${message}`;
}

const part = z.union([
  z.strictObject({ type: z.literal('input_text'), text: z.string().max(5) }),
  z.strictObject({ type: z.literal('input_image'), detail: z.enum(['low', 'high']), file_id: z.string() }),
]);
const body = z.strictObject({
  model: z.string(),
  temperature: z.number().min(0).max(2).optional(),
  top_k: z.int().gt(0).optional(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).optional(),
  input: z.union([z.string(), z.array(z.union([part, z.strictObject({ content: z.array(part).min(1) })]))]),
  tool: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('function'), name: z.string().regex(/^\w+$/) }),
    ])
    .optional(),
  store: z.boolean().optional(),
  note: z.string().max(3, 'is more than a note').optional(),
  bias: z.record(z.string().regex(/^\d+$/, 'must be token ids'), z.number()).optional(),
});
const good = { model: 'm', input: 'hello' };

test.each([
  [{}, 'missing_parameter: model is missing.'],
  [[], 'invalid_parameter: body: must be an object, got an array.'],
  ['x', "invalid_parameter: body: must be an object, got 'x'."],
  [{ ...good, colour: 1 }, 'unknown_parameter: There is no parameter colour.'],
  [{ ...good, model: 7 }, 'invalid_parameter: model: must be a string, got 7.'],
  [{ ...good, model: null }, 'invalid_parameter: model: must be a string, got null.'],
  [{ ...good, temperature: 3 }, 'invalid_parameter: temperature: must be at most 2, got 3.'],
  [{ ...good, temperature: -1 }, 'invalid_parameter: temperature: must be at least 0, got -1.'],
  [{ ...good, top_k: 1.5 }, 'invalid_parameter: top_k: must be a whole number, got 1.5.'],
  [{ ...good, top_k: 0 }, 'invalid_parameter: top_k: must be more than 0, got 0.'],
  [{ ...good, store: 'yes' }, "invalid_parameter: store: must be true or false, got 'yes'."],
  [{ ...good, stop: 5 }, 'invalid_parameter: stop: must be a string or an array, got 5.'],
  [{ ...good, bias: { a: 1 } }, 'invalid_parameter: bias.a: must be token ids.'],
  [
    { ...good, stop: ['1', '2', '3', '4', '5'] },
    'invalid_parameter: stop: must have at most 4 entries, got 5.',
  ],
  [{ ...good, stop: ['a', 1] }, 'invalid_parameter: stop[1]: must be a string, got 1.'],
  [{ model: 'm' }, 'missing_parameter: input is missing.'],
  [{ ...good, input: 7 }, 'invalid_parameter: input: must be a string or an array, got 7.'],
  [
    { ...good, input: [{ type: 'input_text', text: 'too long' }] },
    'invalid_parameter: input[0].text: must have at most 5 characters, got 8.',
  ],
  [
    { ...good, input: [{ type: 'input_image', detail: 'huge', file_id: 'f' }] },
    "invalid_parameter: input[0].detail: must be 'low' or 'high', got 'huge'.",
  ],
  [
    { ...good, input: [{ type: 'input_image', detail: 'low' }] },
    'missing_parameter: input[0].file_id is missing.',
  ],
  [
    { ...good, input: [{ content: [{ type: 'audio' }] }] },
    "invalid_parameter: input[0].content[0].type: must be 'input_text' or 'input_image', got 'audio'.",
  ],
  [
    { ...good, input: [{ type: 'input_text', text: 'a', size: 1 }] },
    'unknown_parameter: There is no parameter input[0].size.',
  ],
  [
    { ...good, input: [{ content: [] }] },
    'invalid_parameter: input[0].content: must have at least 1 entries, got 0.',
  ],
  [{ ...good, tool: { type: 'web' } }, "invalid_parameter: tool.type: must be 'function', got 'web'."],
  [{ ...good, tool: {} }, 'missing_parameter: tool.type is missing.'],
  [
    { ...good, tool: { type: 'function', name: 'a b' } },
    "invalid_parameter: tool.name: has the wrong form, got 'a b'.",
  ],
  [{ ...good, note: 'long' }, 'invalid_parameter: note: is more than a note.'],
])('%j is refused as %s', (value, message) => {
  expect(refused(body, value)).toBe(message);
});

test('a long value is cut, and its length is told', () => {
  expect(refused(z.strictObject({ a: z.enum(['x']) }), { a: 'y'.repeat(100) })).toBe(
    `invalid_parameter: a: must be 'x', got '${'y'.repeat(40)}...' (100 characters).`,
  );
});

test('nothing that zod would say itself is ever said', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue(), fc.record({ model: fc.jsonValue(), input: fc.jsonValue() })),
      (value) => {
        if (body.safeParse(value).success) return;
        expect(refused(body, value)).not.toMatch(
          /Invalid input|expected|received|Unrecognized|Too (big|small)/,
        );
      },
    ),
    { numRuns: 2_000 },
  );
});
