import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { cosineOf, imageVectorLength } from '../../core/imageVector.ts';
import { imageVector, vectorSpace } from './imageVector.ts';

const hidden = 256;
const width = 2 * hidden;
/** Normal numbers by Box and Muller, from a fixed series. */
const noise = (seed: number, length: number) =>
  Float32Array.from({ length }, (_, i) => {
    const [a, b] = [Math.abs(Math.sin(seed + 12.9898 * i) * 43758.5453) % 1, (i * 0.618) % 1];
    return Math.sqrt(-2 * Math.log(a || 0.5)) * Math.cos(2 * Math.PI * b);
  });
const vectorOf = (features: Float32Array) => imageVector(features, { hidden, width });

test('the projection is fixed: other bytes mean another version', () => {
  const features = Float32Array.from({ length: width }, (_, i) => (i % 7) - 3);
  const digest = createHash('sha256').update(vectorOf(features)).digest('hex');
  expect(digest.slice(0, 16)).toBe('289070a840963694');
});

test('angles between means survive the projection', () => {
  const errors = Array.from({ length: 50 }, (_, round) => {
    const [a, other] = [noise(round, width), noise(1000 + round, width)];
    const b = a.map((value, i) => (1 - round / 50) * value + (round / 50) * (other[i] as number));
    let [dot, squaresA, squaresB] = [0, 0, 0];
    for (let i = 0; i < hidden; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      [dot, squaresA, squaresB] = [dot + x * y, squaresA + x * x, squaresB + y * y];
    }
    return Math.abs(cosineOf(vectorOf(a), vectorOf(b)) - dot / Math.sqrt(squaresA * squaresB));
  });
  // Four standard deviations.
  expect(Math.max(...errors)).toBeLessThan(4 / Math.sqrt(imageVectorLength));
});

test('only the main features count, and their mean', () => {
  const token = noise(1, width);
  const twice = new Float32Array(2 * width);
  twice.set(token);
  twice.set(token, width);
  twice.fill(9, hidden, width);
  expect(vectorOf(twice)).toEqual(vectorOf(token));
});

test('models have spaces of their own', () => {
  expect(vectorSpace('a', 2048)).toMatch(/^[\w-]{8}$/);
  expect(new Set([vectorSpace('a', 2048), vectorSpace('b', 2048), vectorSpace('a', 4096)]).size).toBe(3);
});
