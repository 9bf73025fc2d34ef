/** ||actual - expected|| / ||expected|| and the cosine between the two. */
export function compareVectors(
  actual: Float32Array,
  expected: Float32Array,
): { relativeError: number; cosine: number } {
  if (actual.length !== expected.length)
    throw new RangeError(`${actual.length} values, ${expected.length} expected`);
  let difference = 0;
  let product = 0;
  let actualSquares = 0;
  let expectedSquares = 0;
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i] as number;
    const b = expected[i] as number;
    difference += (a - b) ** 2;
    product += a * b;
    actualSquares += a * a;
    expectedSquares += b * b;
  }
  return {
    relativeError: Math.sqrt(difference / expectedSquares),
    cosine: product / Math.sqrt(actualSquares * expectedSquares),
  };
}
