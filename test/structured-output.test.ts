import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { JsonSchema } from '../src/core/tools.ts';
import { defaultSampling } from '../src/core/validateRequest.ts';
import { Candidates } from '../src/engine/decode/candidates.ts';
import { answerGrammar } from '../src/engine/decode/grammar/answerGrammar.ts';
import { GrammarSampler } from '../src/engine/decode/grammarSampler.ts';
import { createSampler } from '../src/engine/decode/sampler.ts';
import { Vocabulary } from '../src/engine/decode/vocabulary.ts';
import type { Pointer } from '../src/llama/binding.ts';
import { type Native, openNative } from '../src/llama/native.ts';

const path = fileURLToPath(new URL('../models/afterimage-tiny-f16.gguf', import.meta.url));

let native: Native;
let model: Pointer;
let vocabulary: Vocabulary;
let candidates: Candidates;

beforeAll(async () => {
  native = await openNative('off', () => {});
  const { llama } = native;
  const parameters = { ...llama.llama_model_default_params(), vocab_only: true };
  model = llama.llama_model_load_from_file(path, parameters) as Pointer;
  vocabulary = new Vocabulary(llama, llama.llama_model_get_vocab(model) as Pointer);
  candidates = new Candidates(llama, vocabulary.size);
});

afterAll(() => native.llama.llama_model_free(model));

function gbnfOf(schema: JsonSchema): string {
  const format = { type: 'json_schema', schema } as const;
  return answerGrammar({ tenant: 't', messages: [], format }) as string;
}

/** An answer drawn at random from all that the grammar allows, tokens that end things being likelier the longer it is. */
function randomAnswer(gbnf: string, seed: number, maxTokens = 2000): string | undefined {
  const grammar = GrammarSampler.create(native.llama, vocabulary, gbnf);
  if (!grammar) throw new Error(`llama.cpp refused the grammar:\n${gbnf}`);
  const sampler = createSampler(
    native.llama,
    { ...defaultSampling, temperature: 1, seed },
    vocabulary.size,
    0,
    grammar,
  );
  const bytes: Uint8Array[] = [];
  const logits = new Float32Array(vocabulary.size);
  for (const token of logits.keys()) {
    const text = Buffer.from(vocabulary.bytesOf(token)).toString();
    if (/^["}\]]+$/.test(text)) logits[token] = 4;
    if (text.length > 1) logits[token] = -2;
    if (vocabulary.isEndOfGeneration(token)) logits[token] = 8;
  }
  try {
    for (let count = 0; count < maxTokens; count++) {
      const token = grammar.draw(sampler.pointer, logits, candidates);
      if (vocabulary.isEndOfGeneration(token)) return Buffer.concat(bytes).toString();
      bytes.push(vocabulary.bytesOf(token));
    }
    return undefined;
  } finally {
    sampler.dispose();
  }
}

/** Whether the grammar lets this text through, token by token, to its end. */
function accepts(gbnf: string, text: string): boolean {
  const { llama } = native;
  const grammar = llama.llama_sampler_init_grammar(vocabulary.pointer, gbnf, 'root') as Pointer;
  const end = [2000, 2001, 2002].find((token) => vocabulary.isEndOfGeneration(token)) as number;
  try {
    for (const token of [...vocabulary.encodePlain(text), end]) {
      if (!candidates.allows(grammar, token)) return false;
      llama.llama_sampler_accept(grammar, token);
    }
    return true;
  } finally {
    llama.llama_sampler_free(grammar);
  }
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', '"', '\\', 'é', '\n', ' ', '日'), maxLength: 5 });
const bounds = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);

interface Tree {
  schema: Record<string, unknown>;
}
const { schema: schemas } = fc.letrec<Tree>((tie) => {
  const properties = fc.dictionary(text, tie('schema'), { maxKeys: 4 });
  return {
    schema: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(
        { type: 'boolean' },
        { type: 'null' },
        { type: 'string' },
        { type: 'number' },
        { type: 'integer' },
      ),
      fc
        .uniqueArray(fc.oneof(text, fc.integer(), fc.boolean()), { minLength: 1, maxLength: 4 })
        .map((values) => ({ enum: values })),
      text.map((value) => ({ const: value })),
      bounds(0, 6).map(([minLength, maxLength]) => ({ type: 'string', minLength, maxLength })),
      fc
        .constantFrom('^[a-c]{2,3}$', '^x|y$', '[0-9]+', '^(foo|ba[rz])*!?$')
        .map((pattern) => ({ type: 'string', pattern })),
      fc.constantFrom('date', 'ipv4', 'uuid').map((format) => ({ type: 'string', format })),
      bounds(-1200, 1200).map(([minimum, maximum]) => ({ type: 'integer', minimum, maximum })),
      bounds(-120, 120).map(([minimum, maximum]) => ({
        type: 'number',
        minimum,
        exclusiveMaximum: maximum + 1,
      })),
      fc.integer({ min: -50, max: 50 }).map((exclusiveMinimum) => ({ type: 'number', exclusiveMinimum })),
      fc.integer({ min: -50, max: 50 }).map((maximum) => ({ type: 'integer', maximum })),
      fc
        .tuple(tie('schema'), bounds(0, 3))
        .map(([items, [minItems, maxItems]]) => ({ type: 'array', items, minItems, maxItems })),
      fc.tuple(properties, fc.constantFrom(false, undefined, true)).chain(([props, additionalProperties]) =>
        fc.subarray(Object.keys(props)).map((required) => ({
          type: 'object',
          properties: props,
          required,
          ...(additionalProperties !== undefined && { additionalProperties }),
        })),
      ),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.constant({ type: ['string', 'null'], maxLength: 3 }),
    ),
  };
});

test('random answers to random schemas are JSON that fits them', { timeout: 120_000 }, () => {
  let finished = 0;
  fc.assert(
    fc.property(schemas, fc.nat(), (schema, seed) => {
      const answer = randomAnswer(gbnfOf(schema), seed);
      if (answer === undefined) return;
      finished++;
      const value = JSON.parse(answer);
      const parsed = z.fromJSONSchema(schema).safeParse(value);
      expect(parsed.error?.issues, `${JSON.stringify(schema)}: ${answer}`).toBeUndefined();
    }),
    { numRuns: 100 },
  );
  expect(finished).toBeGreaterThan(60);
});

describe('lets through what a schema means', () => {
  const person = {
    type: 'object',
    properties: {
      name: { type: 'string' },
      age: { type: 'integer', minimum: 0, maximum: 150 },
      tags: { type: 'array' },
    },
    required: ['name', 'age'],
    additionalProperties: false,
  };
  const tree = {
    $defs: {
      node: { type: 'object', properties: { value: { type: 'number' }, next: { $ref: '#/$defs/node' } } },
    },
    $ref: '#/$defs/node',
  };
  const shape = {
    oneOf: [
      {
        type: 'object',
        properties: { kind: { const: 'circle' }, radius: { type: 'number' } },
        required: ['kind'],
      },
      { type: 'object', properties: { kind: { const: 'point' } }, required: ['kind'] },
    ],
  };
  const open = {
    type: 'object',
    properties: { ab: { type: 'null' } },
    additionalProperties: { type: 'integer' },
  };
  const cases: [schema: JsonSchema, accepted: string[], refused: string[]][] = [
    [
      person,
      ['{"name": "Ann", "age": 7}', '{\n  "name": "",\n  "age": 150,\n  "tags": [1, {"a": null}]\n}'],
      [
        '{"name": "Ann"}',
        '{"name": "Ann", "age": 151}',
        '{"name": "Ann", "age": 1, "x": 1}',
        '{"age": 1, "name": ""}',
      ],
    ],
    [tree, ['{"value": -1.5e3, "next": {"next": {}}}'], ['{"next": 1}', '[]']],
    [
      shape,
      ['{"kind": "circle", "radius": 2}', '{"kind": "point"}'],
      ['{"kind": "point", "radius": 2}', '{"radius": 2}'],
    ],
    [
      open,
      ['{"ab": null, "a": 1, "abc": 2}', '{"b": 1}', '{}'],
      ['{"ab": 1}', '{"b": "1"}', '{"\\u0061b": 1}'],
    ],
    [true, ['[{"a": [true, null, "\\u00e9\\n"]}]', '-0.5'], ['01', '"\\ud800"', '{"a"}', '1,']],
    [{ enum: ['a', 1, null, [1]] }, ['"a"', '1', 'null', '[1]'], ['"b"', '2']],
    [{ enum: ['a', 1], type: 'string' }, ['"a"'], ['1']],
    [
      { type: ['integer', 'null'], minimum: 95, maximum: 205 },
      ['95', '205', '100', 'null'],
      ['94', '206', '1000', '-95'],
    ],
    [{ type: 'number', minimum: 0, maximum: 1 }, ['0', '0.5', '1', '1.0'], ['1.01', '-0.1', '2', '1e0']],
    [
      { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 10 },
      ['0.01', '9.99'],
      ['0', '0.0', '10', '-1'],
    ],
    [{ type: 'integer', exclusiveMaximum: -9 }, ['-10', '-123456'], ['-9', '0', '10']],
    [{ type: 'string', maxLength: 2 }, ['"日本"', '"\\n\\n"', '""'], ['"日本語"', '"abc"']],
    [{ type: 'string', pattern: 'b+' }, ['"abba"', '"b"'], ['"a"', '""']],
    [{ type: 'string', pattern: '^[\\w.-]+"$' }, ['"a-b.c\\""'], ['"a"', '"é\\""']],
    [
      { type: 'string', format: 'date' },
      ['"2024-02-29"', '"1999-12-31"'],
      ['"2023-02-29"', '"1900-02-29"', '"2023-13-01"'],
    ],
    [
      { type: 'string', format: 'date-time' },
      ['"2024-02-29T23:59:59.5+02:00"'],
      ['"2024-02-29 23:59:59Z"', '"2024-02-29"'],
    ],
    [
      { type: 'string', format: 'email' },
      ['"ann.lee@example.org"'],
      ['"ann@"', '"@example.org"', '"a b@example.org"'],
    ],
    [
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
      ['["a", 1]'],
      ['["a"]', '["a", 1, 2]', '[1, "a"]'],
    ],
    [
      { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 2 },
      ['[1]', '[1, 2]'],
      ['[]', '[1, 2, 3]', '["a"]'],
    ],
    [{ type: 'array', maxItems: 0 }, ['[]'], ['[1]']],
    [{ allOf: [{ type: 'null' }], description: 'nothing' }, ['null'], ['1']],
  ];
  test.each(cases)('%j', (schema, accepted, refused) => {
    const gbnf = gbnfOf(schema);
    expect(accepted.filter((text) => !accepts(gbnf, text))).toEqual([]);
    expect(refused.filter((text) => accepts(gbnf, text))).toEqual([]);
  });

  test('json_object is any object and nothing else', () => {
    const gbnf = answerGrammar({ tenant: 't', messages: [], format: { type: 'json_object' } }) as string;
    expect(accepts(gbnf, '{"a": [1, {"b": "c"}]}')).toBe(true);
    expect(accepts(gbnf, '{}')).toBe(true);
    for (const other of ['[]', '1', '{"a": 1} x', 'Sure: {}']) expect(accepts(gbnf, other)).toBe(false);
  });
});

describe('refuses', () => {
  const object = (properties: object) => ({ type: 'object', properties });
  const twice = (name: string) => ({ anyOf: [{ $ref: `#/$defs/${name}` }, { $ref: `#/$defs/${name}` }] });
  const unsupported: [schema: JsonSchema, param: string][] = [
    [{ not: {} }, 'format.schema.not'],
    [object({ a: { if: {} } }), 'format.schema.properties.a.if'],
    [object({ a: { type: 'string', format: 'iri' } }), 'format.schema.properties.a.format'],
    [object({ a: { type: 'string', pattern: '(?=a)' } }), 'format.schema.properties.a.pattern'],
    [object({ a: { type: 'string', pattern: '(a?)*' } }), 'format.schema.properties.a.pattern'],
    [object({ a: { type: 'string', pattern: 'a^b' } }), 'format.schema.properties.a.pattern'],
    [{ type: 'string', pattern: 'a', maxLength: 3 }, 'format.schema.pattern'],
    [{ type: 'string', maxLength: 5000 }, 'format.schema.maxLength'],
    [{ type: 'array', items: false, minItems: 1 }, 'format.schema.items'],
    [{ type: 'array', items: { type: 'array', contains: {} } }, 'format.schema.items.contains'],
    [{ type: 'number', minimum: 0.5 }, 'format.schema.minimum'],
    [{ type: 'number', multipleOf: 0.1 }, 'format.schema.multipleOf'],
    [{ type: 'integer', minimum: 5, maximum: 4 }, 'format.schema.maximum'],
    [{ type: 'string', minimum: 5 }, 'format.schema.minimum'],
    [{ ...object({ a: false }) }, 'format.schema.properties.a'],
    [{ type: 'object', minProperties: 1 }, 'format.schema.minProperties'],
    [{ type: 'object', required: ['a'], additionalProperties: false }, 'format.schema.required'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'format.schema.oneOf'],
    [{ anyOf: [{ type: 'integer' }], minimum: 1 }, 'format.schema.anyOf'],
    [{ allOf: [{}, {}] }, 'format.schema.allOf'],
    [{ $ref: '#' }, 'format.schema.$ref'],
    [{ $ref: 'https://example.org/schema' }, 'format.schema.$ref'],
    [{ enum: ['a'], type: 'integer' }, 'format.schema.enum'],
    // 2 to the power of 30 ways to begin.
    [
      {
        ...twice('d29'),
        $defs: Object.fromEntries(
          Array.from({ length: 30 }, (_, n) => [`d${n}`, n === 0 ? { type: 'null' } : twice(`d${n - 1}`)]),
        ),
      },
      'format.schema',
    ],
  ];
  test.each(unsupported)('%j', (schema, param) => {
    expect(() => gbnfOf(schema)).toThrow(
      expect.objectContaining({
        code: 'unsupported_parameter',
        details: expect.objectContaining({ param: expect.stringContaining(param) }),
      }),
    );
  });

  const invalid: [schema: unknown, param: string][] = [
    [{ type: 'text' }, 'format.schema.type'],
    [{ type: 'string', minLength: -1 }, 'format.schema.minLength'],
    [{ properties: [] }, 'format.schema.properties'],
    [{ anyOf: [] }, 'format.schema.anyOf'],
    [object({ a: 1 }), 'format.schema.properties.a'],
    [{ $ref: '#/$defs/a%zz' }, 'format.schema.$ref'],
    [{ type: 'object', required: [1] }, 'format.schema.required'],
  ];
  test.each(invalid)('%j, which is no schema', (schema, param) => {
    expect(() => gbnfOf(schema as JsonSchema)).toThrow(
      expect.objectContaining({ code: 'invalid_parameter', details: expect.objectContaining({ param }) }),
    );
  });

  test('schemas nested too deep', () => {
    let schema: JsonSchema = { type: 'null' };
    for (let depth = 0; depth < 70; depth++) schema = { type: 'array', items: schema };
    expect(() => gbnfOf(schema)).toThrow('more than 64 deep');
  });

  test('too many repetitions together', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 11 }, (_, n) => [`p${n}`, { type: 'string', maxLength: 2000 - n }]),
    );
    expect(() => gbnfOf(object(properties))).toThrow('repetitions, the limit is 20000');
  });
});

test('a grammar the library can not use is no sampler', () => {
  for (const gbnf of [
    'root ::= (',
    'root ::= root "a" | "b"',
    'other ::= "a"',
    'root ::= missing',
    'root ::= "a"{9999}',
  ]) {
    expect(GrammarSampler.create(native.llama, vocabulary, gbnf)).toBeUndefined();
  }
});
