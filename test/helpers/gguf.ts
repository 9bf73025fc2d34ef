import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type GgufTensor, type GgufValue, writeGguf } from '../../bench/synthetic/ggufWriter.ts';
import type { ModelShape } from '../../bench/synthetic/shapes.ts';
import { TensorMaker } from '../../bench/synthetic/tensors.ts';
import { textMetadata, textTensors } from '../../bench/synthetic/textModel.ts';
import { visionMetadata, visionTensors } from '../../bench/synthetic/visionModel.ts';
import type { GgufHeader } from '../../src/models/ggufHeader.ts';

/** The smallest pair that passes every check; its files have about 100 KB. */
export const tinyShape: ModelShape = {
  layers: 2,
  hidden: 64,
  feedForward: 64,
  heads: 2,
  kvHeads: 1,
  headSize: 32,
  ropeSections: [8, 4, 4],
  tied: true,
  vocabulary: 8,
  contextTokens: 128,
  vision: {
    layers: 2,
    hidden: 32,
    feedForward: 32,
    heads: 2,
    deepstackLayers: [1],
    positionGridSide: 4,
  },
};

const tokenizerDonor: GgufHeader = {
  path: 'donor',
  fileBytes: 0,
  tensors: new Map(),
  metadata: new Map<string, string | number | boolean | readonly (string | number)[]>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'qwen2'],
    ['tokenizer.ggml.tokens', ['a', 'b', '<|end|>']],
    ['tokenizer.ggml.token_type', [1, 1, 3]],
    ['tokenizer.ggml.merges', ['a b']],
    ['tokenizer.ggml.eos_token_id', 2],
    ['tokenizer.ggml.padding_token_id', 2],
    ['tokenizer.ggml.bos_token_id', 2],
    ['tokenizer.ggml.add_bos_token', false],
    ['tokenizer.chat_template', '{{ messages }}'],
  ]),
};

/** What a test changes of the tiny pair: metadata set or (undefined) left out, tensors replaced, another shape. */
export interface Edit {
  readonly shape?: ModelShape;
  readonly metadata?: Readonly<Record<string, GgufValue | undefined>>;
  readonly tensors?: (tensors: readonly GgufTensor[]) => readonly GgufTensor[];
}

function edited(metadata: Record<string, GgufValue>, edit: Edit): Record<string, GgufValue> {
  const entries = Object.entries({ ...metadata, ...edit.metadata });
  return Object.fromEntries(entries.filter((entry): entry is [string, GgufValue] => entry[1] !== undefined));
}

/** A tensor whose every byte is 0. */
export function zeros(tensor: Omit<GgufTensor, 'write'>): GgufTensor {
  return { ...tensor, write: (sink) => sink(new Uint8Array(tensor.bytes)) };
}

async function write(path: string, metadata: Record<string, GgufValue>, tensors: GgufTensor[], edit: Edit) {
  const chosen = edit.tensors?.(tensors) ?? tensors;
  await writeGguf(path, edited(metadata, edit), chosen.map(zeros));
  return path;
}

/** Writes the text file of the tiny pair and returns its path. */
export function writeText(path: string, edit: Edit = {}): Promise<string> {
  const shape = edit.shape ?? tinyShape;
  const tensors = textTensors(shape, 'q8_0', new TensorMaker());
  return write(path, textMetadata(shape, 'Tiny', 'q8_0', tokenizerDonor), tensors, edit);
}

/** Writes the vision file of the tiny pair and returns its path. */
export function writeVision(path: string, edit: Edit = {}): Promise<string> {
  const shape = edit.shape ?? tinyShape;
  return write(path, visionMetadata(shape, 'Tiny'), visionTensors(shape, new TensorMaker()), edit);
}

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'afterimage-models-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
