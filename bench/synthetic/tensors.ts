import { ggmlTypes, tensorBytes } from '../../src/models/ggmlTypes.ts';
import type { GgufTensor } from './ggufWriter.ts';
import { randomTile, type TileType } from './randomTile.ts';

/** Builds tensors of random, one or zero values; tiles are made when the first tensor of their type is written. */
export class TensorMaker {
  private readonly tiles = new Map<TileType, ReturnType<typeof randomTile>>();
  private readonly tileChunks: number | undefined;

  /** `tileChunks`: values a tile has, in chunks of 32; small ones are quick to make and repeat soon. */
  constructor(tileChunks?: number) {
    this.tileChunks = tileChunks;
  }

  random(name: string, shape: readonly number[], ggmlType: TileType): GgufTensor {
    const bytes = tensorBytes(ggmlTypes[ggmlType], shape);
    return { name, shape, ggmlType, bytes, write: (sink) => this.tile(ggmlType)(sink, bytes) };
  }

  constant(name: string, size: number, value: number): GgufTensor {
    const values = new Float32Array(size).fill(value);
    const data = new Uint8Array(values.buffer);
    return { name, shape: [size], ggmlType: 'f32', bytes: data.length, write: (sink) => sink(data) };
  }

  private tile(type: TileType): ReturnType<typeof randomTile> {
    let tile = this.tiles.get(type);
    if (tile === undefined) {
      tile = randomTile(type, this.tileChunks);
      this.tiles.set(type, tile);
    }
    return tile;
  }
}
