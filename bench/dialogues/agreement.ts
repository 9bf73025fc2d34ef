import type { SampleAnswer } from './answers.ts';

export interface Agreement {
  readonly answers: number;
  /** Answers with the same tokens as the reference run. */
  readonly equalAnswers: number;
  /** Of the reference run's tokens, those before the first one that differs in their answer; 0 to 1. */
  readonly equalTokenShare: number;
  /** Answers that are right, 0 to 1. */
  readonly accuracy: number;
}

/** How far a run says what the reference run says; both answered the same turns. */
export function agreement(run: readonly SampleAnswer[], reference: readonly SampleAnswer[]): Agreement {
  let [equalAnswers, equalTokens, tokens] = [0, 0, 0];
  for (const [index, expected] of reference.entries()) {
    const wanted = expected.result.tokens;
    const given = run[index]?.result.tokens ?? [];
    const first = wanted.findIndex((token, at) => token !== given[at]);
    const isEqual = first < 0 && wanted.length === given.length;
    equalAnswers += isEqual ? 1 : 0;
    equalTokens += first < 0 ? wanted.length : first;
    tokens += wanted.length;
  }
  return {
    answers: reference.length,
    equalAnswers,
    equalTokenShare: tokens === 0 ? 1 : equalTokens / tokens,
    accuracy: run.filter(({ turn, result }) => result.text === turn.gold).length / run.length,
  };
}
