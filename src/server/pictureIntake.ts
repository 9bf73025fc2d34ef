import { fitToModel } from '../images/fitToModel.ts';
import { takeImage } from '../images/intake.ts';
import type { PictureIntake } from '../session/pictureIntake.ts';

/** Decodes, hashes and resizes as the model's reference does. */
export const pictureIntake: PictureIntake = {
  take: async (bytes, detail) => {
    const image = await takeImage(bytes);
    return { digest: image.digest, ...(await fitToModel(image, detail)) };
  },
};
