import type { ImageSegment, Segment } from '../prompt/segment.ts';

/** A prompt cut where every prompt that begins like it is cut too, and what comes after the last cut. */
export interface CutPrompt {
  readonly whole: readonly Segment[];
  readonly tail: readonly number[];
}

/**
 * Cuts before and after each image and after each token that ends a turn. So the cuts depend on what a prompt says, and not on
 * how its runs of text came about: an answer that was generated and one that was sent give the same segments.
 */
export function cutPrompt(prompt: readonly Segment[], endsTurn: (token: number) => boolean): CutPrompt {
  const whole: Segment[] = [];
  let run: number[] = [];
  const close = (): void => {
    if (run.length > 0) whole.push({ kind: 'text', tokens: run });
    run = [];
  };
  for (const segment of prompt) {
    if (segment.kind === 'image') {
      close();
      whole.push(segment);
      continue;
    }
    for (const token of segment.tokens) {
      run.push(token);
      if (endsTurn(token)) close();
    }
  }
  return { whole, tail: run };
}

/** A prompt up to the end of its first image, and that image; undefined when it has none. */
export function throughFirstImage(
  prompt: readonly Segment[],
): { readonly segments: readonly Segment[]; readonly image: ImageSegment } | undefined {
  const index = prompt.findIndex(({ kind }) => kind === 'image');
  const image = prompt[index];
  return image?.kind === 'image' ? { segments: prompt.slice(0, index + 1), image } : undefined;
}
