import { callAsync } from '../../llama/binding.ts';
import type { Ggml } from '../../llama/ggml.ts';
import { q8BlockElements, type WeightType, weightTypeId } from './weightType.ts';

/** A q8_0 block: an f16 scale, then 32 signed bytes (`block_q8_0` in ggml-common.h). */
const q8BlockBytes = 34;

/** Decodes `count` values as they lie in a GGUF file, off the event loop. */
export async function toFloats(
  ggml: Ggml,
  type: WeightType,
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  switch (type) {
    case 'f32':
      return new Float32Array(bytes.buffer, bytes.byteOffset, count);
    case 'f16':
      return decodeHalves(ggml.ggml_fp16_to_fp32_row, bytes, count);
    case 'bf16':
      return decodeHalves(ggml.ggml_bf16_to_fp32_row, bytes, count);
    case 'q8_0':
      return decodeBlocks(ggml, bytes, count);
  }
}

type RowConversion = Ggml['ggml_fp16_to_fp32_row'];

async function decodeHalves(
  convert: RowConversion,
  bytes: Uint8Array,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const floats = new Float32Array(count);
  await callAsync(convert, bytes, floats, count);
  return floats;
}

async function decodeBlocks(
  ggml: Ggml,
  bytes: Uint8Array,
  count: number,
): Promise<Float32Array<ArrayBuffer>> {
  const blocks = count / q8BlockElements;
  const scaleBytes = new Uint8Array(blocks * 2);
  for (let block = 0; block < blocks; block++) {
    scaleBytes.set(bytes.subarray(block * q8BlockBytes, block * q8BlockBytes + 2), block * 2);
  }
  const scales = await decodeHalves(ggml.ggml_fp16_to_fp32_row, scaleBytes, blocks);
  const quants = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const floats = new Float32Array(count);
  for (let block = 0; block < blocks; block++) {
    const scale = scales[block] as number;
    const first = block * q8BlockBytes + 2;
    for (let i = 0; i < q8BlockElements; i++) {
      floats[block * q8BlockElements + i] = scale * (quants[first + i] as number);
    }
  }
  return floats;
}

/** Encodes rows of `rowElements` values as ggml holds them, off the event loop. */
export async function fromFloats(
  ggml: Ggml,
  type: WeightType,
  floats: Float32Array<ArrayBuffer>,
  rowElements: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (type === 'f32') return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  const rows = floats.length / rowElements;
  const bytes = new Uint8Array(rows * ggml.ggml_row_size(weightTypeId[type], rowElements));
  await callAsync(ggml.ggml_quantize_chunk, weightTypeId[type], floats, bytes, 0, rows, rowElements, null);
  return bytes;
}
