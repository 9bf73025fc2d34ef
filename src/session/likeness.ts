import { cosineOf } from '../core/imageVector.ts';
import type { PictureRecord } from './record.ts';

/**
 * Cosine from which two pictures are taken for nearly the same; between the edited and the different ones of
 * `test/image-vector.test.ts`, which measures it with the embedded model.
 */
export const nearDuplicateCosine = 0.97;

/** `same`: to the pixel. `different` says no more than that the vectors are not near each other. */
export type Likeness = 'same' | 'near_duplicate' | 'different';

export interface PictureSummary {
  /** Counted from 1 in the order they came; the number of one that went is not given again. */
  readonly number: number;
  readonly digest: string;
  readonly width: number;
  readonly height: number;
  /** The picture of the session that is most like it; null when there is none to compare with. */
  readonly nearest: { readonly number: number; readonly cosine: number; readonly likeness: Likeness } | null;
}

/** Every picture with the one it is most like. Costs a comparison for each pair. */
export function summariesOf(pictures: readonly PictureRecord[]): PictureSummary[] {
  return pictures.map(({ number, digest, width, height, ...one }) => {
    const found = pictures.flatMap((other) => {
      if (other.number === number) return [];
      const cosine = other.digest === digest ? 1 : comparable(one.vector, other.vector);
      if (cosine === undefined) return [];
      const likeness = likenessOf(cosine, other.digest === digest);
      return [{ number: other.number, cosine, likeness }];
    });
    const [nearest = null] = found.toSorted((a, b) => b.cosine - a.cosine);
    return { number, digest, width, height, nearest };
  });
}

function likenessOf(cosine: number, isSame: boolean): Likeness {
  if (isSame) return 'same';
  return cosine >= nearDuplicateCosine ? 'near_duplicate' : 'different';
}

/** Undefined for vectors that are not there or of different spaces. */
function comparable(one: string | null, other: string | null): number | undefined {
  const [a, b] = [unpacked(one), unpacked(other)];
  return a && b && a.space === b.space ? cosineOf(a.vector, b.vector) : undefined;
}

function unpacked(text: string | null): { space: string; vector: Uint8Array } | undefined {
  if (text === null) return undefined;
  const [space = '', base64 = ''] = text.split(':');
  return { space, vector: Buffer.from(base64, 'base64') };
}
