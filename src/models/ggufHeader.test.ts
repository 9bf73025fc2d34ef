import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type GgufValue, writeGguf } from '../../bench/synthetic/ggufWriter.ts';
import { temporaryFolder, writeText, zeros } from '../../test/helpers/gguf.ts';
import { entry, rawFile, tensorInfo, u32, u64 } from '../../test/helpers/rawGguf.ts';
import { AfterimageError } from '../core/errors.ts';
import { type GgmlTypeName, ggmlTypes, tensorBytes } from './ggmlTypes.ts';
import { readGgufHeader } from './ggufHeader.ts';

const value: fc.Arbitrary<GgufValue> = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.record({ u32: fc.nat(2 ** 32 - 1) }),
  fc.record({ f32: fc.float({ noNaN: true }) }),
  fc.record({ strings: fc.array(fc.string({ unit: 'grapheme' })) }),
  fc.record({ i32s: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })) }),
  fc.record({ bools: fc.array(fc.boolean()) }),
);

const tensor = fc
  .record({
    ggmlType: fc.constantFrom<GgmlTypeName>('f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_K'),
    blocks: fc.integer({ min: 1, max: 3 }),
    outer: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  })
  .map(({ ggmlType, blocks, outer }) => {
    const shape = [blocks * ggmlTypes[ggmlType].blockElements, ...outer];
    return { ggmlType, shape, bytes: tensorBytes(ggmlTypes[ggmlType], shape) };
  });

test('reads back what was written, and offsets lead to each tensor', async () => {
  const path = join(await temporaryFolder(), 'any.gguf');
  const key = fc.string({ unit: 'grapheme' }).map((name) => `k.${name}`);
  const metadata = fc.dictionary(key, value, { noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(metadata, fc.array(tensor, { maxLength: 5 }), async (entries, shapes) => {
      const tensors = shapes.map((shape, index) => ({
        ...shape,
        name: `t${index}`,
        write: (sink: (bytes: Uint8Array) => Promise<void>) =>
          sink(new Uint8Array(shape.bytes).fill(index + 1)),
      }));
      await writeGguf(path, entries, tensors);
      const header = await readGgufHeader(path);
      const plain = Object.entries(entries).map(([name, stored]) => [
        name,
        typeof stored === 'object' ? Object.values(stored)[0] : stored,
      ]);
      expect([...header.metadata]).toEqual(plain);
      const file = await readFile(path);
      expect(header.fileBytes).toBe(file.length);
      expect([...header.tensors.keys()]).toEqual(tensors.map(({ name }) => name));
      for (const [index, { name, shape, ggmlType, bytes }] of tensors.entries()) {
        const info = header.tensors.get(name);
        expect(info).toMatchObject({ name, shape, type: ggmlTypes[ggmlType], bytes });
        const data = file.subarray(info?.offset, (info?.offset ?? 0) + bytes);
        expect(data.every((byte) => byte === index + 1)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('reads every value type, 64-bit integers exactly', async () => {
  const path = await rawFile(
    [],
    [
      entry('u8', 0, Buffer.of(255)),
      entry('i8', 1, Buffer.of(255)),
      entry('u16', 2, Buffer.of(255, 255)),
      entry('i16', 3, Buffer.of(255, 255)),
      entry('u64', 10, u64(2 ** 53 - 1)),
      entry('big', 10, u64(2n ** 64n - 1n)),
      entry('i64', 11, u64(2n ** 64n - 1n)),
      entry('f64', 12, Buffer.from(Float64Array.of(0.1).buffer)),
      entry('shorts', 9, u32(2), u64(2), Buffer.of(1, 0, 2, 0)),
    ],
  );
  expect(Object.fromEntries((await readGgufHeader(path)).metadata)).toEqual({
    u8: 255,
    i8: -1,
    u16: 65_535,
    i16: -1,
    u64: 2 ** 53 - 1,
    big: 2n ** 64n - 1n,
    i64: -1,
    f64: 0.1,
    shorts: [1, 2],
  });
});

test('reads texts longer than its window, and headers of many windows', async () => {
  const path = join(await temporaryFolder(), 'long.gguf');
  const long = 'template '.repeat(50_000);
  const strings = Array.from({ length: 30_000 }, (_, index) => `token ${index}`);
  await writeGguf(path, { long, strings: { strings }, last: true }, []);
  const { metadata } = await readGgufHeader(path);
  expect(metadata.get('long')).toBe(long);
  expect(metadata.get('strings')).toEqual(strings);
  expect(metadata.get('last')).toBe(true);
});

test('places tensors beyond 4 GiB without reading them', async () => {
  const side = 2 ** 16;
  const big = side * side * 4;
  const path = await rawFile([tensorInfo('a', [side, side], 0, 0), tensorInfo('b', [8], 0, big)], []);
  await truncate(path, 128 + big + 32);
  const header = await readGgufHeader(path);
  expect(header.tensors.get('b')).toMatchObject({ offset: 128 + big, bytes: 32 });
});

test('no such file, a folder, and files of something else', async () => {
  const folder = await temporaryFolder();
  const missing = join(folder, 'missing.gguf');
  await expect(readGgufHeader(missing)).rejects.toMatchObject({
    code: 'model_file_not_found',
    details: { path: missing },
  });
  await expect(readGgufHeader(folder)).rejects.toMatchObject({ code: 'model_file_not_gguf' });
  for (const bytes of ['', 'GGU', 'GGML and more', '<!DOCTYPE html>']) {
    const path = join(folder, 'other.gguf');
    await writeFile(path, bytes);
    await expect(readGgufHeader(path)).rejects.toMatchObject({ code: 'model_file_not_gguf' });
  }
});

test('a file that ends early is cut short, wherever it ends', async () => {
  const path = join(await temporaryFolder(), 'cut.gguf');
  const tensors = ['a', 'b'].map((name) => zeros({ name, shape: [8], ggmlType: 'f32', bytes: 32 }));
  await writeGguf(path, { 'general.name': 'x', list: { strings: ['one', 'two'] } }, tensors);
  const whole = await readFile(path);
  for (let bytes = 4; bytes < whole.length; bytes++) {
    await writeFile(path, whole.subarray(0, bytes));
    const error = await readGgufHeader(path).catch((thrown) => thrown);
    expect(error, `${bytes} bytes`).toMatchObject({ code: 'model_file_truncated', details: { path, bytes } });
  }
  await writeFile(path, whole.subarray(0, -1));
  await expect(readGgufHeader(path)).rejects.toMatchObject({ details: { needed: whole.length } });
});

test('any damage gives a header or an error of ours, never anything else', async () => {
  const folder = await temporaryFolder();
  const whole = await readFile(await writeText(join(folder, 'whole.gguf')));
  const path = join(folder, 'damaged.gguf');
  const damage = fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(damage, async (changes) => {
      const bytes = Buffer.from(whole);
      for (const [offset, byte] of changes) bytes[offset] = byte;
      await writeFile(path, bytes);
      const outcome = await readGgufHeader(path).catch((error) => error);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(AfterimageError);
      else expect(outcome.fileBytes).toBe(whole.length);
    }),
    { numRuns: 300 },
  );
});

test('tensors may be aligned otherwise', async () => {
  const infos = [tensorInfo('s', [8], 0, 0), tensorInfo('t', [8], 0, 256)];
  const path = await rawFile(infos, [entry('general.alignment', 4, u32(256))]);
  expect((await readGgufHeader(path)).tensors.get('t')).toMatchObject({ offset: 512, bytes: 32 });
});
