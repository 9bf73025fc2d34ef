/** Numbers in an image vector, and the bytes it takes as f16. */
export const imageVectorLength = 512;
export const imageVectorBytes = 2 * imageVectorLength;

/** What a picture looks like, in 1,024 bytes: 512 numbers of f16, little-endian, of length 1 together. */
export interface ImageVector {
  /** As in `ImageSource`. */
  readonly digest: string;
  readonly width: number;
  readonly height: number;
  /** Model and rule it was made with, without a colon; vectors of two spaces have nothing to do with each other. */
  readonly space: string;
  readonly vector: Uint8Array;
}

/** @param values 512 numbers, not all of them 0 */
export function packVector(values: Float64Array): Uint8Array<ArrayBuffer> {
  const length = Math.hypot(...values);
  const view = new DataView(new ArrayBuffer(imageVectorBytes));
  for (const [index, value] of values.entries()) view.setFloat16(2 * index, value / length, true);
  return new Uint8Array(view.buffer);
}

/** -1 to 1; 1 for the same picture. @throws RangeError for what is no image vector */
export function cosineOf(one: Uint8Array, other: Uint8Array): number {
  const [a, b] = [unpackVector(one), unpackVector(other)];
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let index = 0; index < imageVectorLength; index++) {
    const [x, y] = [a[index] as number, b[index] as number];
    product += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return product / Math.sqrt(squaresA * squaresB);
}

function unpackVector(bytes: Uint8Array): Float64Array {
  if (bytes.length !== imageVectorBytes) throw new RangeError(`${bytes.length} bytes are no image vector`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float64Array.from({ length: imageVectorLength }, (_, index) => view.getFloat16(2 * index, true));
}
