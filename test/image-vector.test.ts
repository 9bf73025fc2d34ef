import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { samplesFolder } from '../bench/dialogues/samples.ts';
import { cosineOf } from '../src/core/imageVector.ts';
import { VisionEncoder } from '../src/engine/vision/encoder.ts';
import { imageVector } from '../src/engine/vision/imageVector.ts';
import { imageSourceFromBytes } from '../src/images/load.ts';
import { resolveModelPair } from '../src/models/pair.ts';
import { nearDuplicateCosine } from '../src/session/likeness.ts';
import { cpuBackend } from './helpers/cpuBackend.ts';
import { nearEdits } from './helpers/nearPictures.ts';

const { native, backend } = await cpuBackend();
const pair = await resolveModelPair();
const hidden = pair.vision.projectionDim;
const encoder = await VisionEncoder.load(native, backend, pair, { weightType: 'f16' });
afterAll(() => encoder.dispose());

async function vectorOf(file: Uint8Array): Promise<Uint8Array> {
  const { width, height, pixels } = await imageSourceFromBytes(file, 'auto');
  const job = encoder.begin({ width, height, rgb: await pixels() });
  try {
    while (!(await job.step()));
    return imageVector(job.features(), { hidden, width: encoder.featureWidth });
  } finally {
    job.dispose();
  }
}

function describeSpread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.round(share * (sorted.length - 1))] as number).toFixed(4);
  const over = values.filter((value) => value >= nearDuplicateCosine).length;
  return `least ${at(0)}, median ${at(0.5)}, most ${at(1)}; ${over} of ${values.length} near`;
}

/** What each edit is found by, at least: the vectors of scaled pictures lie among those of different ones, too. */
const leastFound = { 'JPEG of quality 80': 1, '10 % smaller': 0.5, '5 % cropped': 1 };

test('a picture that is sent again edited is nearer than any other', { timeout: 300_000 }, async () => {
  const files = readdirSync(samplesFolder)
    .filter((name) => name.endsWith('.png'))
    .map((name) => readFileSync(samplesFolder + name));
  const vectors: Uint8Array[] = [];
  for (const file of files) vectors.push(await vectorOf(file));
  const different = vectors.flatMap((one, index) =>
    vectors.slice(index + 1).map((other) => cosineOf(one, other)),
  );
  console.log(`different: ${describeSpread(different)}`);
  expect(Math.max(...different)).toBeLessThan(nearDuplicateCosine);

  for (const kind of Object.keys(nearEdits) as (keyof typeof nearEdits)[]) {
    const cosines: number[] = [];
    let nearestIsOwn = 0;
    for (const [index, file] of files.entries()) {
      const edited = await vectorOf(await nearEdits[kind](file));
      const all = vectors.map((vector) => cosineOf(vector, edited));
      cosines.push(all[index] as number);
      if (Math.max(...all) === all[index]) nearestIsOwn++;
    }
    console.log(`${kind}: ${describeSpread(cosines)}; nearest is its own for ${nearestIsOwn}`);
    const found = cosines.filter((cosine) => cosine >= nearDuplicateCosine).length;
    expect(found / files.length, kind).toBeGreaterThanOrEqual(leastFound[kind]);
    expect(nearestIsOwn / files.length, kind).toBeGreaterThanOrEqual(0.95);
  }
});
