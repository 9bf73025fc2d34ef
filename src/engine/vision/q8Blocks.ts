import type { Ggml } from '../../llama/ggml.ts';
import { q8BlockElements } from './weightType.ts';

/** A q8_0 block: an f16 scale, then 32 signed bytes (`block_q8_0` in ggml-common.h). */
export const q8BlockBytes = 34;

/** Decodes whole blocks; each value is its block's scale times its byte. */
export function unpackQ8(ggml: Ggml, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const blocks = bytes.length / q8BlockBytes;
  const scaleBytes = new Uint8Array(2 * blocks);
  for (let block = 0; block < blocks; block++) {
    scaleBytes.set(bytes.subarray(block * q8BlockBytes, block * q8BlockBytes + 2), 2 * block);
  }
  const scales = new Float32Array(blocks);
  ggml.ggml_fp16_to_fp32_row(scaleBytes, scales, blocks);
  const quants = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const floats = new Float32Array(blocks * q8BlockElements);
  for (let block = 0; block < blocks; block++) {
    const scale = scales[block] as number;
    const first = block * q8BlockBytes + 2;
    for (let i = 0; i < q8BlockElements; i++) {
      floats[block * q8BlockElements + i] = scale * (quants[first + i] as number);
    }
  }
  return floats;
}
