import { randomInt } from 'node:crypto';
import sharp from 'sharp';
import type { ImageSource } from '../../src/core/request.ts';
import { imageSourceFromBytes } from '../../src/images/load.ts';

/** One picture in the two forms it is sent in: to the engine, and to a server. */
export interface Picture {
  readonly source: ImageSource;
  readonly dataUrl: string;
}

/** The first picture's seed: a server may still hold what the last process drew. */
let drawn = randomInt(2 ** 24);

/** A gradient with a disc that no earlier call drew, in this process or another. */
export async function freshPicture(sidePixels: number): Promise<Picture> {
  // The multiplier is odd, so that 2^24 pictures in a row differ in their colours.
  const seed = Math.imul(++drawn, 0x9e3779b1) & 0xffffff;
  const red = seed & 255;
  const green = (seed >>> 8) & 255;
  const blue = (seed >>> 16) & 255;
  const rgb = new Uint8Array(sidePixels ** 2 * 3);
  for (let y = 0; y < sidePixels; y++) {
    for (let x = 0; x < sidePixels; x++) {
      const inDisc = (x - sidePixels / 2) ** 2 + (y - sidePixels / 2) ** 2 < (sidePixels / 4) ** 2;
      const offset = (y * sidePixels + x) * 3;
      rgb[offset] = inDisc ? red : (x * 255) / sidePixels;
      rgb[offset + 1] = inDisc ? green : (y * 255) / sidePixels;
      rgb[offset + 2] = inDisc ? blue : red;
    }
  }
  const png = await sharp(rgb, { raw: { width: sidePixels, height: sidePixels, channels: 3 } })
    .png()
    .toBuffer();
  const source = await imageSourceFromBytes(png, 'auto');
  if (source.width !== sidePixels || source.height !== sidePixels) {
    throw new Error(`a ${sidePixels} px picture was resized to ${source.width}x${source.height}`);
  }
  return { source, dataUrl: `data:image/png;base64,${png.toString('base64')}` };
}
