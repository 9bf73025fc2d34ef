import { callAsync } from '../../llama/binding.ts';
import type { Ggml } from '../../llama/ggml.ts';
import { unpackQ8 } from './q8Blocks.ts';
import { type WeightType, weightTypeId } from './weightType.ts';

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
      return unpackQ8(ggml, bytes);
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
