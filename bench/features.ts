/**
 * Command line of the comparison of feature types: what the evaluation dialogues lose by each, what a picture takes, and how
 * long packing takes. The embedded model, on the CPU.
 */
import { type FeatureType, featurePacking, featureTypes } from '../src/engine/vision/featurePacking.ts';
import { openNative } from '../src/llama/native.ts';
import { agreement } from './dialogues/agreement.ts';
import { answerSamples } from './dialogues/answers.ts';
import { readSamples } from './dialogues/samples.ts';
import { environment } from './engine/environment.ts';

/** A picture of 448x448 for Qwen3-VL-2B: 196 tokens of 4 x 2048 values. */
const values = 196 * 8192;
const rounds = 20;

const samples = readSamples();
const { commit, cpu, cores } = await environment();
console.log(`commit ${commit}, ${cpu}, ${cores} cores; ${samples.length} dialogues, greedy`);
const answersOf = (featureType: FeatureType) =>
  answerSamples({ gpu: 'off', visionWeightType: 'f16', kvCells: 8192, featureType }, samples);
const { ggml } = await openNative('off', () => {});
const picture = Float32Array.from({ length: values }, (_, index) => Math.sin(index));
const reference = await answersOf('f32');
for (const type of featureTypes) {
  const answers = type === 'f32' ? reference : await answersOf(type);
  const { answers: count, equalAnswers, equalTokenShare, accuracy } = agreement(answers, reference);
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const { pack, unpack } = featurePacking(ggml, type, 8192);
  const packed = pack(picture);
  console.log(
    `${type.padEnd(5)} answers equal ${equalAnswers} of ${count} (${percent(equalAnswers / count)}), ` +
      `tokens until the first difference ${percent(equalTokenShare)}, right ${percent(accuracy)}; ` +
      `196 tokens of 8,192: ${(packed.length / 2 ** 20).toFixed(1)} MiB, ` +
      `pack ${median(() => pack(picture)).toFixed(1)} ms, ` +
      `unpack ${median(() => unpack(packed)).toFixed(1)} ms`,
  );
}

function median(work: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  });
  return times.sort((a, b) => a - b)[rounds / 2] as number;
}
