import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { z } from 'zod';

const fixtures = new URL('../fixtures/', import.meta.url);

const goldenShape = z.object({
  features: z.array(
    z.object({
      image: z.string(),
      width: z.number(),
      height: z.number(),
      grid: z.tuple([z.number(), z.number()]),
      tokens: z.number(),
      width_per_token: z.number(),
      file: z.string(),
    }),
  ),
});

export interface GoldenPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
  /** Merged tokens: rows, columns. */
  readonly grid: readonly [number, number];
  readonly featureWidth: number;
  /** [tokens, featureWidth] by Hugging Face transformers in float32. */
  readonly features: Float32Array;
}

/** The golden pictures; their sides need no resizing. */
export async function goldenPictures(): Promise<GoldenPicture[]> {
  const text = await readFile(new URL('golden/golden.json', fixtures), 'utf8');
  const { features } = goldenShape.parse(JSON.parse(text));
  return Promise.all(
    features.map(async (row) => {
      const png = await readFile(new URL(row.image, fixtures));
      const bytes = await readFile(new URL(row.file, fixtures));
      return {
        name: row.image,
        width: row.width,
        height: row.height,
        rgb: await sharp(png).removeAlpha().raw().toBuffer(),
        grid: row.grid,
        featureWidth: row.width_per_token,
        features: new Float32Array(new Uint8Array(bytes).buffer),
      };
    }),
  );
}
