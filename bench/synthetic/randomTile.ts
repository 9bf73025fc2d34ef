import { type GgmlTypeName, ggmlTypes } from '../../src/models/ggmlTypes.ts';
import type { GgufSink } from './ggufWriter.ts';

export type TileType = Extract<GgmlTypeName, 'f32' | 'f16' | 'q8_0' | 'q4_0'>;

const standardDeviation = 0.02;
const chunkElements = 32;

/** Prime, and more than a vocabulary has rows: rows of equal width do not repeat within a tensor. */
const tileChunks = 196_613;

/** Mulberry32: small, fast, seeded; uniform in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal values by Box and Muller's method, two at a time. */
function fillNormal(values: Float32Array, random: () => number): void {
  for (let index = 0; index < values.length; index += 2) {
    const radius = standardDeviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[index] = radius * Math.cos(angle);
    values[index + 1] = radius * Math.sin(angle);
  }
}

/** Each encodes 32 values at `offset`; layouts are those of ggml's block_q8_0 and block_q4_0 (ggml-common.h). */
const encoders: Readonly<Record<TileType, (values: Float32Array, out: DataView, offset: number) => void>> = {
  f32(values, out, offset) {
    values.forEach((value, index) => {
      out.setFloat32(offset + 4 * index, value, true);
    });
  },

  f16(values, out, offset) {
    values.forEach((value, index) => {
      out.setFloat16(offset + 2 * index, value, true);
    });
  },

  q8_0(values, out, offset) {
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127;
    out.setFloat16(offset, scale, true);
    values.forEach((value, index) => {
      out.setInt8(offset + 2 + index, scale === 0 ? 0 : Math.round(value / scale));
    });
  },

  // The value furthest from zero becomes -8, exactly; the two halves of the block share bytes, low nibble first.
  q4_0(values, out, offset) {
    const extreme = values.reduce((far, value) => (Math.abs(value) > Math.abs(far) ? value : far), 0);
    const scale = extreme / -8;
    out.setFloat16(offset, scale, true);
    const level = (value: number) => (scale === 0 ? 8 : Math.min(15, Math.floor(value / scale + 8.5)));
    for (let index = 0; index < 16; index++) {
      const low = level(values[index] ?? 0);
      const high = level(values[index + 16] ?? 0);
      out.setUint8(offset + 2 + index, low | (high << 4));
    }
  },
};

/** Encodes values, a multiple of 32 of them, the way a tensor of this type stores them. */
export function encodeValues(type: TileType, values: Float32Array): Uint8Array {
  const { blockBytes, blockElements } = ggmlTypes[type];
  const chunkBytes = (chunkElements / blockElements) * blockBytes;
  const bytes = new Uint8Array((values.length / chunkElements) * chunkBytes);
  const view = new DataView(bytes.buffer);
  for (let chunk = 0; chunk < values.length / chunkElements; chunk++) {
    const start = chunk * chunkElements;
    encoders[type](values.subarray(start, start + chunkElements), view, chunk * chunkBytes);
  }
  return bytes;
}

/**
 * Endless random weights of one type, standard deviation 0.02: one encoded tile, repeated. Each call of the returned
 * function goes on where the last one ended, so that tensors differ.
 */
export function randomTile(type: TileType, chunks: number = tileChunks) {
  const values = new Float32Array(chunks * chunkElements);
  fillNormal(values, uniform(1));
  const tile = encodeValues(type, values);
  let position = 0;
  return async (sink: GgufSink, bytes: number): Promise<void> => {
    for (let left = bytes; left > 0; ) {
      const piece = tile.subarray(position, Math.min(tile.length, position + left));
      await sink(piece);
      left -= piece.length;
      position = (position + piece.length) % tile.length;
    }
  };
}
