import { expect, test } from 'vitest';
import { echoDefaults, echoOf } from './echo.ts';
import { createSchema } from './requestSchema.ts';

const echo = (body: object) => echoOf(createSchema.parse({ input: 'x', ...body }), 'm');

test('what is the default anyway takes no room in the record', () => {
  expect(echo({})).toEqual({ model: 'm' });
  expect(echo({ ...echoDefaults, instructions: 'not ours', stream: true })).toEqual({ model: 'm' });
});

test('what was said is repeated, filled up as clients expect it', () => {
  expect(
    echo({
      tools: [{ type: 'function', name: 'find' }],
      text: { format: { type: 'json_object' } },
      prompt_cache_options: { comparison_response_id: 'resp_1', prewarm: null },
      service_tier: 'auto',
      reasoning: { effort: 'none' },
      seed: 0,
    }),
  ).toEqual({
    model: 'm',
    tools: [{ type: 'function', name: 'find', description: null, parameters: null, strict: false }],
    text: { format: { type: 'json_object' }, verbosity: 'medium' },
    prompt_cache_options: { mode: 'implicit', ttl: '30m', comparison_response_id: 'resp_1' },
    seed: 0,
  });
});
