import { expect, test } from 'vitest';
import { cosineOf, imageVectorBytes, imageVectorLength, packVector } from './imageVector.ts';

const wave = (phase: number) =>
  Float64Array.from({ length: imageVectorLength }, (_, i) => 1000 * Math.sin(i * i + phase));

test('a vector takes 1,024 bytes, whatever its length was, and is as long as 1', () => {
  const packed = packVector(wave(0));
  expect(packed.length).toBe(imageVectorBytes);
  expect(packed).toEqual(packVector(wave(0).map((value) => value / 1e6)));
  const view = new DataView(packed.buffer);
  let squares = 0;
  for (let at = 0; at < packed.length; at += 2) squares += view.getFloat16(at, true) ** 2;
  expect(squares).toBeCloseTo(1, 3);
});

test('the cosine is that of the numbers, to f16', () => {
  const [a, b] = [wave(0), wave(1)];
  const dot = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  const exact = dot / Math.hypot(...a) / Math.hypot(...b);
  expect(cosineOf(packVector(a), packVector(b))).toBeCloseTo(exact, 3);
  expect(cosineOf(packVector(a), packVector(a))).toBeCloseTo(1, 10);
  expect(cosineOf(packVector(a), packVector(a.map((value) => -value)))).toBeCloseTo(-1, 10);
});

test('what is no vector is refused', () => {
  expect(() => cosineOf(packVector(wave(0)), new Uint8Array(1000))).toThrow(RangeError);
});
