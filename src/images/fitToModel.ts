import { resizeBicubic } from './bicubic.ts';
import type { CanonicalImage } from './intake.ts';
import { type ImageDetail, modelSize, pixelBudgets } from './resizeRule.ts';

export interface FittedImage {
  readonly width: number;
  readonly height: number;
  /** width x height x 3 bytes. The canonical pixels themselves when the size fits already. */
  readonly rgb: Uint8Array;
}

/** Brings a picture to the size the model sees it in, as the reference processor would. */
export async function fitToModel(image: CanonicalImage, detail: ImageDetail): Promise<FittedImage> {
  const { width, height } = modelSize(image.width, image.height, pixelBudgets[detail]);
  if (width === image.width && height === image.height) return { width, height, rgb: image.rgb };
  return { width, height, rgb: await resizeBicubic(image, width, height) };
}
