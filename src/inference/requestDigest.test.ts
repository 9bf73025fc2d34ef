import { expect, test } from 'vitest';
import { ask, freshImage } from '../../test/helpers/inferencePortSuite.ts';
import type { GenerateRequest } from '../core/request.ts';
import { requestDigest } from './requestDigest.ts';

const image = freshImage();
const base: GenerateRequest = {
  ...ask('hi', { image }),
  sampling: { temperature: 1, topK: 4, logitBias: { 9: 1, 2: 3 } },
};

test('the order of fields, spelled-out defaults and how pixels are fetched make no difference', () => {
  const same: GenerateRequest = {
    stop: [],
    sampling: { logitBias: { 2: 3, 9: 1 }, seed: null, topK: 4, temperature: 1, topP: 1 },
    maxOutputTokens: 8,
    messages: ask('hi', { image: { ...image, pixels: () => Promise.reject(new Error('not needed')) } })
      .messages,
    tenant: 'acme',
    tools: [],
    toolChoice: 'none',
    parallelToolCalls: true,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  expect(requestDigest(same)).toBe(requestDigest(base));
});

test('whatever changes the work changes the digest', () => {
  const message = base.messages[0];
  if (!message) throw new Error('the base request has a message');
  const others: GenerateRequest[] = [
    base,
    { ...base, tenant: 'other' },
    { ...base, maxOutputTokens: 9 },
    { ...base, stop: ['x'] },
    { ...base, sampling: { ...base.sampling, topK: 5 } },
    { ...base, sampling: { ...base.sampling, seed: 0 } },
    { ...base, sampling: { ...base.sampling, logitBias: { 9: 1, 2: 4 } } },
    { ...base, messages: [{ ...message, role: 'system' }] },
    { ...base, messages: [{ ...message, tokens: [1] }] },
    { ...base, messages: [{ ...message, content: message.content.toReversed() }] },
    ask('hi', { image: { ...image, width: 96 } }),
    ask('hi', { image: freshImage() }),
    { ...base, messages: [{ ...message, toolCalls: [{ name: 'a', arguments: '{}' }] }] },
    { ...base, messages: [{ ...message, toolCalls: [{ name: 'a', arguments: '{ }' }] }] },
    { ...base, tools: [{ name: 'a' }] },
    { ...base, tools: [{ name: 'a', strict: true }] },
    { ...base, tools: [{ name: 'a', parameters: { type: 'object' } }] },
    { ...base, tools: [{ name: 'a' }], toolChoice: 'none' },
    { ...base, tools: [{ name: 'a' }], toolChoice: { name: 'a' } },
    { ...base, parallelToolCalls: false },
    { ...base, format: { type: 'json_object' } },
    { ...base, format: { type: 'json_schema', schema: { type: 'object' } } },
  ];
  expect(new Set(others.map(requestDigest)).size).toBe(others.length);
});
