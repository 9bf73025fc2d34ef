import { expect, test } from 'vitest';
import { modelId } from './modelName.ts';

test.each([
  ['Afterimage Tiny', 'afterimage-tiny'],
  ['Qwen3-VL-8B-Instruct', 'qwen3-vl-8b-instruct'],
  ['Qwen2.5_VL  (q4)', 'qwen2.5_vl-q4'],
  ['Modèle/é', 'mode-le-e'],
  ['视觉', 'model'],
])('%s is called %s', (name, id) => {
  expect(modelId(name)).toBe(id);
  expect(modelId(id)).toBe(id);
});
