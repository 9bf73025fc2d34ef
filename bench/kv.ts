/**
 * Command line of the comparison of KV cache types: what the evaluation dialogues lose by each, and what a token takes.
 * The embedded model, on the CPU; features are the same in all runs.
 */
import { type KvType, kvTypes } from '../src/engine/decode/kvType.ts';
import { agreement } from './dialogues/agreement.ts';
import { answerSamples } from './dialogues/answers.ts';
import { readSamples } from './dialogues/samples.ts';
import { environment } from './engine/environment.ts';
import { sequenceCost } from './kv/sequenceCost.ts';

const samples = readSamples();
const { commit, cpu, cores } = await environment();
console.log(`commit ${commit}, ${cpu}, ${cores} cores; ${samples.length} dialogues, greedy`);
const answersOf = (kvType: KvType) =>
  answerSamples({ gpu: 'off', visionWeightType: 'f16', kvCells: 8192, kvType }, samples);
const reference = await answersOf('f16');
for (const kvType of kvTypes) {
  const answers = kvType === 'f16' ? reference : await answersOf(kvType);
  const { answers: count, equalAnswers, equalTokenShare, accuracy } = agreement(answers, reference);
  const { stateBytesPerToken, prefillTokensPerSecond, decodeMsPerToken } = await sequenceCost(kvType);
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  console.log(
    `${kvType.padEnd(5)} answers equal ${equalAnswers} of ${count} (${percent(equalAnswers / count)}), ` +
      `tokens until the first difference ${percent(equalTokenShare)}, right ${percent(accuracy)}, ` +
      `${stateBytesPerToken.toFixed(0)} bytes of state a token, ` +
      `after 2,048 tokens ${prefillTokensPerSecond.toFixed(0)} tokens/s prefill, ` +
      `${decodeMsPerToken.toFixed(2)} ms a token`,
  );
}
