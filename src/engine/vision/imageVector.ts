import { createHash } from 'node:crypto';
import { imageVectorLength, packVector } from '../../core/imageVector.ts';

/** Of the rule below: mean, signs, length. One more with any change to it. */
const version = 1;
/** Starts the signs below. */
const seed = 0x2f6e_2b1d;

/** `ImageVector.space` of a model: vectors can be compared when rule and vision tower are the same. */
export function vectorSpace(model: string, hidden: number): string {
  const made = createHash('sha256').update(JSON.stringify([version, model, hidden]));
  return made.digest('base64url').slice(0, 8);
}

/**
 * 512 numbers that are near each other for pictures that look alike, as 1,024 bytes (`packVector`).
 *
 * Mean of the main features over all tokens, m = (1/t) sum_i f_i, then a random projection y_j = sum_i s_ij m_i with fixed
 * signs s_ij = +-1 (Johnson-Lindenstrauss with signs: D. Achlioptas, "Database-friendly random projections", 2003; his factor
 * 1/sqrt(512) goes with the length), then y / |y|. Angles between means survive that to about 1/sqrt(512) = 0.04.
 *
 * @param features [tokens, width] f32, in each token the main features first
 * @param hidden how many of a token's values are main features
 */
export function imageVector(
  features: Float32Array,
  { hidden, width }: { hidden: number; width: number },
): Uint8Array<ArrayBuffer> {
  return packVector(project(meanOf(features, hidden, width)));
}

function meanOf(features: Float32Array, hidden: number, width: number): Float64Array {
  const sum = new Float64Array(hidden);
  const tokens = features.length / width;
  for (let token = 0; token < tokens; token++) {
    for (let i = 0; i < hidden; i++) sum[i] = (sum[i] as number) + (features[token * width + i] as number);
  }
  return sum.map((value) => value / tokens);
}

/** The signs are the bits of xorshift32 (G. Marsaglia, 2003), drawn row by row: 16 words for each value of the mean. */
function project(mean: Float64Array): Float64Array {
  const projected = new Float64Array(imageVectorLength);
  let word = seed;
  for (const value of mean) {
    for (let first = 0; first < imageVectorLength; first += 32) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      for (let bit = 0; bit < 32; bit++) {
        const signed = (word >>> bit) & 1 ? value : -value;
        projected[first + bit] = (projected[first + bit] as number) + signed;
      }
    }
  }
  return projected;
}
