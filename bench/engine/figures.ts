import type { RoundFigures } from './round.ts';

/** Medians over all rounds of one contender. */
export interface Figures {
  readonly encodeMs: number;
  readonly freshPictureFirstTokenMs: number;
  readonly prefillTokensPerSecond: number;
  readonly turns: readonly TurnFigures[];
  readonly decode: readonly DecodeFigures[];
}

export interface TurnFigures {
  readonly turn: number;
  /** Prompt tokens computed for it, in the conversation with the picture. */
  readonly newTokens: number;
  readonly pictureFirstTokenMs: number;
  readonly textFirstTokenMs: number;
  readonly pictureToText: number;
}

export interface DecodeFigures {
  /** Answers decoded together. */
  readonly sequences: number;
  readonly tokensPerSecond: number;
  readonly tokensPerSecondEach: number;
}

/** Ours over the peer's: times are better below 1, speeds above 1. */
export interface Ratios {
  readonly encodeMs: number;
  readonly freshPictureFirstTokenMs: number;
  readonly prefillTokensPerSecond: number;
  readonly turns: readonly {
    readonly turn: number;
    readonly pictureFirstTokenMs: number;
    readonly textFirstTokenMs: number;
  }[];
  readonly decode: readonly { readonly sequences: number; readonly tokensPerSecond: number }[];
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values have no median');
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2;
}

/** @throws RangeError without a round */
export function summarise(rounds: readonly RoundFigures[]): Figures {
  const medianOf = (pick: (round: RoundFigures) => readonly number[]): number => median(rounds.flatMap(pick));
  const at = (list: readonly number[], index: number): number[] => list.slice(index, index + 1);
  const turns = (rounds[0]?.newTokens ?? []).map((_, index): TurnFigures => {
    const pictureFirstTokenMs = medianOf((round) => at(round.pictureFirstTokenMs, index));
    const textFirstTokenMs = medianOf((round) => at(round.textFirstTokenMs, index));
    return {
      turn: index + 1,
      newTokens: medianOf((round) => at(round.newTokens, index)),
      pictureFirstTokenMs,
      textFirstTokenMs,
      pictureToText: pictureFirstTokenMs / textFirstTokenMs,
    };
  });
  const counts = [...(rounds[0]?.decodeTokensPerSecond.keys() ?? [])];
  return {
    encodeMs: medianOf((round) => round.encodeMs),
    freshPictureFirstTokenMs: medianOf((round) => round.freshPictureFirstTokenMs),
    prefillTokensPerSecond: medianOf((round) => round.prefillTokensPerSecond),
    turns,
    decode: counts.map((sequences) => {
      const tokensPerSecond = medianOf((round) => [round.decodeTokensPerSecond.get(sequences) ?? Number.NaN]);
      return { sequences, tokensPerSecond, tokensPerSecondEach: tokensPerSecond / sequences };
    }),
  };
}

/** Only what both have. */
export function compare(ours: Figures, peer: Figures): Ratios {
  return {
    encodeMs: ours.encodeMs / peer.encodeMs,
    freshPictureFirstTokenMs: ours.freshPictureFirstTokenMs / peer.freshPictureFirstTokenMs,
    prefillTokensPerSecond: ours.prefillTokensPerSecond / peer.prefillTokensPerSecond,
    turns: ours.turns.flatMap(({ turn, pictureFirstTokenMs, textFirstTokenMs }) => {
      const other = peer.turns.find((candidate) => candidate.turn === turn);
      if (!other) return [];
      const picture = pictureFirstTokenMs / other.pictureFirstTokenMs;
      return [
        { turn, pictureFirstTokenMs: picture, textFirstTokenMs: textFirstTokenMs / other.textFirstTokenMs },
      ];
    }),
    decode: ours.decode.flatMap(({ sequences, tokensPerSecond }) => {
      const other = peer.decode.find((candidate) => candidate.sequences === sequences);
      return other ? [{ sequences, tokensPerSecond: tokensPerSecond / other.tokensPerSecond }] : [];
    }),
  };
}
