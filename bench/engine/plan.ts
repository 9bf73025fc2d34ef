/** How much is measured in one round. */
export interface Plan {
  readonly pictureSidePixels: number;
  /** Fresh pictures to encode. */
  readonly pictures: number;
  readonly prefills: number;
  /** Words, which are tokens, of the long text. */
  readonly prefillTokens: number;
  readonly turns: number;
  /** Words of one question; the chat template adds about 10 tokens. */
  readonly questionTokens: number;
  readonly answerTokens: number;
  /** How many answers are decoded together, one count after another; begins with 1. */
  readonly sequenceCounts: readonly number[];
  readonly decodeTokens: number;
}

export const fullPlan: Plan = {
  pictureSidePixels: 448,
  pictures: 2,
  prefills: 2,
  prefillTokens: 512,
  turns: 20,
  questionTokens: 11,
  answerTokens: 8,
  sequenceCounts: [1, 2, 4, 8],
  decodeTokens: 64,
};

export const quickPlan: Plan = {
  ...fullPlan,
  pictures: 1,
  prefills: 1,
  prefillTokens: 64,
  turns: 3,
  sequenceCounts: [1, 2],
};
