import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../test/helpers/collectGarbage.ts';
import { compareVectors } from '../../../test/helpers/compare.ts';
import { cpuBackend } from '../../../test/helpers/cpuBackend.ts';
import { type GoldenPicture, goldenPictures } from '../../../test/helpers/goldenFeatures.ts';
import { resolveModelPair } from '../../models/pair.ts';
import { type EncoderImage, VisionEncoder, type VisionEncoderOptions } from './encoder.ts';
import { kernelsFor } from './kernel/matmulKernel.ts';

const { native, backend } = await cpuBackend();
const pair = await resolveModelPair();
const pictures = await goldenPictures();

async function withEncoder(
  options: VisionEncoderOptions,
  work: (encoder: VisionEncoder) => Promise<void>,
): Promise<void> {
  const encoder = await VisionEncoder.load(native, backend, pair, options);
  try {
    await work(encoder);
  } finally {
    encoder.dispose();
  }
}

async function encode(encoder: VisionEncoder, image: EncoderImage): Promise<Float32Array> {
  const job = encoder.begin(image);
  try {
    while (!(await job.step()));
    return job.features();
  } finally {
    job.dispose();
  }
}

function grey(width: number, height: number): EncoderImage {
  return { width, height, rgb: new Uint8Array(width * height * 3).fill(128) };
}

const picture = (index: number) => pictures[index] as GoldenPicture;

describe('features of the golden pictures equal those of Hugging Face transformers', () => {
  test.each([
    ['f32', 1e-3],
    ['f16', 3e-3],
    ['bf16', 1e-2],
    ['q8_0', 1e-2],
  ] as const)('with %s weights', async (weightType, limit) => {
    await withEncoder({ weightType }, async (encoder) => {
      expect(encoder.weightType).toBe(weightType);
      expect(encoder.probeGflops).toEqual({});
      expect(pictures).toHaveLength(5);
      for (const golden of pictures) {
        expect(encoder.featureWidth).toBe(golden.featureWidth);
        const { relativeError, cosine } = compareVectors(await encode(encoder, golden), golden.features);
        expect(relativeError, golden.name).toBeLessThanOrEqual(limit);
        expect(cosine, golden.name).toBeGreaterThanOrEqual(0.9999);
      }
    });
  });
});

test('each kernel for this machine and the library give the features of the golden pictures', async () => {
  const ofMachine = kernelsFor(native.systemInfo);
  for (const kernels of [[], ...ofMachine.map((kernel) => [kernel])]) {
    const weightType = kernels[0]?.weightType ?? 'bf16';
    const limit = weightType === 'bf16' ? 1e-2 : 3e-3;
    await withEncoder({ weightType, kernels }, async (encoder) => {
      expect(encoder.kernels).toEqual(kernels.map(({ name }) => name));
      for (const golden of pictures) {
        const { relativeError } = compareVectors(await encode(encoder, golden), golden.features);
        expect(relativeError, `${encoder.kernels} ${golden.name}`).toBeLessThanOrEqual(limit);
      }
    });
  }
});

test('a job says its grid, and how many slices it takes', async () => {
  await withEncoder({ weightType: 'f16' }, async (encoder) => {
    const golden = picture(1);
    const job = encoder.begin(golden);
    expect([job.rows, job.columns]).toEqual(golden.grid);
    let steps = 1;
    expect(() => job.features()).toThrow('not finished');
    while (!(await job.step())) steps += 1;
    expect(steps).toBe(pair.vision.layers + 2);
    expect(job.sliceCount).toBe(steps);
    await expect(job.step()).rejects.toThrow('finished');
    job.dispose();
    job.dispose();
    expect(() => job.features()).toThrow('not finished');
  });
});

test('the same picture gives the same bits, whatever was encoded or abandoned in between', async () => {
  await withEncoder({ weightType: 'f16' }, async (encoder) => {
    const first = await encode(encoder, picture(0));
    expect(await encode(encoder, picture(0))).toEqual(first);

    const other = await encode(encoder, picture(3));
    expect(await encode(encoder, picture(0))).toEqual(first);
    expect(await encode(encoder, picture(3))).toEqual(other);

    const abandoned = encoder.begin(picture(4));
    expect([abandoned.rows, abandoned.columns]).toEqual(picture(0).grid);
    for (let slice = 0; slice < 4; slice++) expect(await abandoned.step()).toBe(false);
    abandoned.dispose();
    expect(await encode(encoder, picture(0))).toEqual(first);
  });
});

test('slices of two sizes may alternate; a second job of one size is refused', async () => {
  await withEncoder({ weightType: 'f16' }, async (encoder) => {
    const [landscape, portrait] = [picture(0), picture(3)];
    const alone = [await encode(encoder, landscape), await encode(encoder, portrait)];
    const jobs = [encoder.begin(landscape), encoder.begin(portrait)] as const;
    expect(() => encoder.begin(landscape)).toThrow('in use');
    expect(() => encoder.dispose()).toThrow('still open');
    for (let slice = 0; slice < jobs[0].sliceCount; slice++) for (const job of jobs) await job.step();
    expect(jobs.map((job) => job.features())).toEqual(alone);
    for (const job of jobs) job.dispose();
  });
});

test('a job disposed while its slice runs gives its grid back when the slice ends', async () => {
  await withEncoder({ weightType: 'f16' }, async (encoder) => {
    const job = encoder.begin(picture(0));
    const running = job.step();
    await expect(job.step()).rejects.toThrow('running');
    job.dispose();
    expect(() => encoder.begin(picture(0))).toThrow('in use');
    await running;
    const { relativeError } = compareVectors(await encode(encoder, picture(0)), picture(0).features);
    expect(relativeError).toBeLessThanOrEqual(3e-3);
  });
});

test('the grids used last are kept, by number and by bytes', async () => {
  await withEncoder(
    { weightType: 'f16', gridCache: { maxGrids: 2, maxGridBytes: 2 ** 30 } },
    async (encoder) => {
      const bytesAfter = async (width: number, height: number) => {
        await encode(encoder, grey(width, height));
        return encoder.memory.gridBytes;
      };
      const small = await bytesAfter(64, 64);
      const both = await bytesAfter(256, 256);
      expect(both).toBeGreaterThan(small);
      await bytesAfter(64, 64);
      // 256x256 was used longest ago and goes.
      expect(await bytesAfter(64, 96)).toBeLessThan(both);
      expect(encoder.memory.grids).toBe(2);
    },
  );
  await withEncoder({ weightType: 'f16', gridCache: { maxGrids: 4, maxGridBytes: 1 } }, async (encoder) => {
    for (const width of [64, 96, 128]) {
      await encode(encoder, grey(width, 64));
      expect(encoder.memory.grids).toBe(1);
    }
  });
});

test('evicted grids give their memory back to the system', async () => {
  await withEncoder(
    { weightType: 'f16', gridCache: { maxGrids: 1, maxGridBytes: 2 ** 30 } },
    async (encoder) => {
      // Stem and one layer are enough to touch all of a grid's buffers.
      const touch = async (height: number) => {
        const job = encoder.begin(grey(1024, height));
        for (let slice = 0; slice < 2; slice++) await job.step();
        job.dispose();
      };
      // Of no interest here: patches and pixels that the collector hasn't come to yet.
      const resident = () => {
        collectGarbage();
        return process.memoryUsage().rss;
      };
      await touch(512);
      const { gridBytes } = encoder.memory;
      const before = resident();
      const rounds = 16;
      for (let round = 0; round < rounds; round++) await touch(512 - 32 * (round % 2));
      expect(resident() - before).toBeLessThan((rounds / 2) * gridBytes);
    },
  );
});

test('without a weight type the probe chooses one and says what it measured', async () => {
  await withEncoder({}, async (encoder) => {
    expect(['f16', 'bf16']).toContain(encoder.weightType);
    expect(Object.keys(encoder.probeGflops)).toEqual(['f16', 'bf16', 'q8_0']);
  });
});

test('refuses impossible pictures before it takes a grid', async () => {
  await withEncoder({ weightType: 'f16' }, async (encoder) => {
    expect(() => encoder.begin({ width: 64, height: 64, rgb: new Uint8Array(10) })).toThrow(RangeError);
    expect(() => encoder.begin(grey(48, 64))).toThrow('multiple of 32');
    expect(encoder.memory.grids).toBe(0);
  });
});
