import sharp from 'sharp';

/** A PNG of a drawn gradient with a disc: something to encode when only its size matters. */
export function testPicture(width: number, height: number): Promise<Buffer> {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inDisc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (Math.min(width, height) / 4) ** 2;
      const offset = (y * width + x) * 3;
      rgb[offset] = inDisc ? 200 : (x * 255) / width;
      rgb[offset + 1] = inDisc ? 40 : (y * 255) / height;
      rgb[offset + 2] = inDisc ? 40 : 128;
    }
  }
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
