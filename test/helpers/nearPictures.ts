import sharp from 'sharp';

/** The same picture as people send it again: as another file, another size, or without its edges. */
export const nearEdits = {
  'JPEG of quality 80': (png: Uint8Array) => sharp(png).jpeg({ quality: 80 }).toBuffer(),
  '10 % smaller': (png: Uint8Array) => scaled(png, 0.9),
  '5 % cropped': (png: Uint8Array) => cropped(png, 0.05),
} as const;

async function scaled(png: Uint8Array, factor: number): Promise<Uint8Array> {
  const { width, height } = await sharp(png).metadata();
  return sharp(png)
    .resize(Math.round(width * factor), Math.round(height * factor))
    .png()
    .toBuffer();
}

/** Takes this share off each side length, half of it at either edge. */
async function cropped(png: Uint8Array, share: number): Promise<Uint8Array> {
  const { width, height } = await sharp(png).metadata();
  const [left, top] = [Math.round((width * share) / 2), Math.round((height * share) / 2)];
  return sharp(png)
    .extract({ left, top, width: width - 2 * left, height: height - 2 * top })
    .png()
    .toBuffer();
}
