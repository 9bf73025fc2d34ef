import type { PictureDetail } from './items.ts';

export interface FittedPicture {
  /** As in `ImageSource`: over the canonical pixels, before fitting. */
  readonly digest: string;
  /** Size the model sees it in. */
  readonly width: number;
  readonly height: number;
  /** width x height x 3 bytes. */
  readonly rgb: Uint8Array;
}

/** Turns a picture file into pixels. The same bytes and detail always give the same picture. */
export interface PictureIntake {
  /** @throws AfterimageError with an `image_` code for everything that can be wrong with the bytes. */
  take(bytes: Uint8Array, detail: PictureDetail): Promise<FittedPicture>;
}
