import { beforeAll, expect, test } from 'vitest';
import { AfterimageError } from '../src/core/errors.ts';
import { takeImage } from '../src/images/intake.ts';
import { flat, fromPixels, ftyp, noise, pngDeclaring, withPngChunk } from './pictures.ts';

const files = 10_000;
const seed = 20_260_701;
const inFlight = 2;
const slowestAllowedMs = 1000;

/** mulberry32: uniform in [0, 1) from a 32-bit state. */
function mulberry32(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const random = mulberry32(seed);
const below = (limit: number) => Math.floor(random() * limit);
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
const junk = (length: number) => Buffer.from(Uint8Array.from({ length }, () => below(256)));

const magics = [
  '\xff\xd8\xff\xe0',
  '\x89PNG\r\n\x1a\n',
  'GIF89a',
  'RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0',
  'RIFF\x40\0\0\0WEBPVP8L',
  '\0\0\0\x18ftypavif\0\0\0\0mif1avif',
  'BM',
  'II*\0',
  '\0\0\x01\0',
  '<svg ',
  '',
].map((magic) => Buffer.from(magic, 'latin1'));

let seeds: Buffer[] = [];

beforeAll(async () => {
  const photo = fromPixels(40, 32, noise(40 * 32 * 3)).blur(1.5);
  const clear = flat(16, 16, [200, 20, 90, 120]);
  const png = await photo.clone().png().toBuffer();
  seeds = [
    png,
    withPngChunk(png, 'acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])),
    await photo.clone().png({ progressive: true }).toBuffer(),
    await clear.clone().png({ palette: true }).toBuffer(),
    await photo.clone().toColourspace('rgb16').withIccProfile('p3').png().toBuffer(),
    await photo.clone().jpeg().toBuffer(),
    await photo.clone().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer(),
    await photo.clone().toColourspace('cmyk').jpeg().toBuffer(),
    await photo.clone().withIccProfile('p3').jpeg().toBuffer(),
    await photo.clone().webp().toBuffer(),
    await clear.clone().webp({ lossless: true }).toBuffer(),
    await fromPixels(16, 32, noise(16 * 32 * 3), 16)
      .webp()
      .toBuffer(),
    await photo.clone().gif().toBuffer(),
    await clear.clone().gif().toBuffer(),
    await fromPixels(16, 32, noise(16 * 32 * 3), 16)
      .gif()
      .toBuffer(),
    await photo.clone().avif({ quality: 40 }).toBuffer(),
    await clear.clone().avif({ lossless: true }).toBuffer(),
  ];
});

type Mutator = (file: Buffer) => Buffer;

const mutators: Readonly<Record<string, Mutator>> = {
  untouched: (file) => file,
  bitFlips(file) {
    const out = Buffer.from(file);
    for (let n = 1 + below(8); n > 0; n--) {
      const at = below(out.length);
      out[at] = (out[at] as number) ^ (1 << below(8));
    }
    return out;
  },
  /** Flips where the structure is: most bytes of a file are pixel data. */
  headerBytes(file) {
    const out = Buffer.from(file);
    for (let n = 1 + below(4); n > 0; n--)
      out[below(Math.min(120, out.length))] = pick([0, 1, 0x7f, 0x80, 0xff]);
    return out;
  },
  truncation: (file) => file.subarray(0, 1 + below(file.length)),
  splicedHeader(file) {
    const other = pick(seeds);
    return Buffer.concat([other.subarray(0, below(other.length)), file.subarray(below(file.length))]);
  },
  doubledMiddle(file) {
    const [from, to] = [below(file.length), below(file.length)].sort((a, b) => a - b) as [number, number];
    return Buffer.concat([file.subarray(0, to), file.subarray(from)]);
  },
  removedMiddle(file) {
    const from = below(file.length);
    return Buffer.concat([file.subarray(0, from), file.subarray(from + below(64))]);
  },
  polyglot: (file) => Buffer.concat([file, Buffer.from('<html>PK\x03\x04', 'latin1'), junk(below(64))]),
  zeroedRun(file) {
    const from = below(file.length);
    return Buffer.from(file).fill(0, from, Math.min(file.length, from + below(100)));
  },
  magicThenJunk: () => Buffer.concat([pick(magics), junk(below(600))]),
  brands: () =>
    ftyp(...Array.from({ length: 3 }, () => pick(['avif', 'avis', 'mif1', 'heic', 'isom', 'qt  ']))),
  lyingPng(file) {
    const side = () => pick([0, 1, 7, 8, 33, 400, 2000, 4096, 8192, 8193, 52_800, 0x7fffffff, 0xffffffff]);
    const lie = pngDeclaring(side(), side());
    // The true chunks after a false header, or next to no data at all.
    return file.toString('latin1', 1, 4) === 'PNG'
      ? Buffer.concat([lie.subarray(0, 33), file.subarray(33)])
      : lie;
  },
  lyingJpeg(file) {
    const out = Buffer.from(file);
    const at = Math.max(out.indexOf('ffc0', 'hex'), out.indexOf('ffc2', 'hex'));
    if (at < 0 || at + 9 > out.length) return out;
    out.writeUInt16BE(pick([0, 1, 8, 500, 2000, 8192, 65_535]), at + 5);
    out.writeUInt16BE(pick([0, 1, 8, 500, 2000, 8192, 65_535]), at + 7);
    return out;
  },
};

test(`${files} malformed pictures are accepted or refused, never worse`, { timeout: 300_000 }, async () => {
  const outcomes = new Map<string, number>();
  let slowest = { ms: 0, mutator: '' };
  let next = 0;
  const names = Object.keys(mutators);

  const work = async () => {
    while (next < files) {
      const number = next++;
      const mutator = names[number % names.length] as string;
      const bytes = (mutators[mutator] as Mutator)(pick(seeds));
      const started = performance.now();
      const outcome = await takeImage(bytes).then(
        ({ width, height, rgb }) => (rgb.length === width * height * 3 ? 'accepted' : 'wrong size'),
        (error) => (error instanceof AfterimageError ? error.code : `file ${number} (${mutator}): ${error}`),
      );
      const ms = performance.now() - started;
      if (ms > slowest.ms) slowest = { ms, mutator };
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  // A file is drawn without an await in between, so every run sees the same files.
  await Promise.all(Array.from({ length: inFlight }, work));

  const sorted = [...outcomes].sort(([, a], [, b]) => b - a);
  console.log(
    `images-fuzz: ${sorted.map(([outcome, count]) => `${outcome} ${count}`).join(', ')}; ` +
      `slowest ${slowest.ms.toFixed(0)} ms (${slowest.mutator})`,
  );
  expect(sorted.filter(([outcome]) => !/^(accepted|image_\w+)$/.test(outcome))).toEqual([]);
  expect([...outcomes.values()].reduce((sum, count) => sum + count)).toBe(files);
  // A run in which nothing gets through, or everything, tests nothing.
  expect(outcomes.get('accepted')).toBeGreaterThan(files / 20);
  expect(outcomes.get('image_damaged')).toBeGreaterThan(files / 20);
  expect(slowest.ms).toBeLessThan(slowestAllowedMs);
});
