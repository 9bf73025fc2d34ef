import { expect, test } from 'vitest';
import { checkLayout } from './layout.ts';
import { loadLibraries } from './libraries.ts';
import { bindLlama, type Llama } from './llama.ts';

test('the installed release has the layout these bindings describe, and a shifted field is noticed', async () => {
  const llama = bindLlama(await loadLibraries('off', () => {}));
  expect(() => checkLayout(llama)).not.toThrow();
  const shifted = {
    llama_model_default_params: llama.llama_model_default_params,
    llama_context_default_params: () => ({ ...llama.llama_context_default_params(), n_threads_batch: 0 }),
  } as unknown as Llama;
  expect(() => checkLayout(shifted)).toThrow('llama_context_params.n_threads_batch is 0, expected 4');
});
