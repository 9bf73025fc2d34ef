import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface SampleTurn {
  readonly user: string;
  /** File name of the picture that comes with it. */
  readonly image: string | null;
  readonly type: string;
  readonly lang: 'en' | 'zh';
  /** The right answer. */
  readonly gold: string;
  /** What Hugging Face transformers answers with the same weights. */
  readonly hf: string;
}

export interface Sample {
  readonly system: string | null;
  readonly turns: readonly SampleTurn[];
}

export const samplesFolder = fileURLToPath(new URL('../../test/fixtures/samples/', import.meta.url));

/** The evaluation dialogues. */
export function readSamples(): Sample[] {
  return readdirSync(samplesFolder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name): Sample => JSON.parse(readFileSync(samplesFolder + name, 'utf8')));
}
