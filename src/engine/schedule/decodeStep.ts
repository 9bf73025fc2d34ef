import type { BatchToken, Runner } from '../decode/runner.ts';
import type { ImageSegment } from '../prompt/segment.ts';
import { segmentCells } from '../prompt/segment.ts';
import type { Planner } from '../state/planner.ts';
import type { KvCache } from './kvCache.ts';
import type { PrefillRate } from './prefillRate.ts';
import type { Sequence } from './sequence.ts';

/** A sequence whose logits lie at `index` of the last native decode. */
export interface Row {
  readonly sequence: Sequence;
  readonly index: number;
}

/** Turns sequences into native batches and notes in cache and sequences what has been computed. */
export class DecodeStep {
  readonly #runner: Runner;
  readonly #cache: KvCache;
  readonly #rate: PrefillRate;
  readonly #planner: Planner;

  constructor(runner: Runner, cache: KvCache, rate: PrefillRate, planner: Planner) {
    this.#runner = runner;
    this.#cache = cache;
    this.#rate = rate;
    this.#planner = planner;
  }

  /**
   * One native decode: the next token of every answering sequence, and a slice of the prompt's text in front. Returns
   * what can be sampled now; nothing when there was nothing to decode.
   */
  async decodeTokens(answering: readonly Sequence[], prompt: Sequence | undefined): Promise<Row[]> {
    const entries: BatchToken[] = [];
    const rows: Row[] = [];
    for (const sequence of answering) {
      const { slot, nextToken } = sequence;
      if (!slot) continue;
      rows.push({ sequence, index: entries.length });
      entries.push({ sequence: slot.id, token: nextToken, position: slot.positions, wantsLogits: true });
    }
    const slice = this.#textSlice(prompt, entries.length);
    if (prompt?.slot && slice.length > 0) {
      const endsPrompt = prompt.endsPromptWith(slice.length) && prompt.request.maxOutputTokens > 0;
      for (const [index, token] of slice.entries()) {
        const wantsLogits = endsPrompt && index === slice.length - 1;
        if (wantsLogits) rows.push({ sequence: prompt, index: entries.length });
        entries.push({
          sequence: prompt.slot.id,
          token,
          position: prompt.slot.positions + index,
          wantsLogits,
        });
      }
    }
    if (entries.length === 0) return [];

    const started = performance.now();
    await this.#runner.decodeTokens(entries);
    const elapsed = performance.now() - started;

    for (const { slot, nextToken } of answering) if (slot) this.#cache.appendTokens(slot, [nextToken]);
    if (prompt?.slot && slice.length > 0) {
      this.#cache.appendTokens(prompt.slot, slice);
      prompt.advanceText(slice.length);
      prompt.prefillMs += elapsed;
      if (answering.length === 0) this.#planner.notePrefill(slice.length, elapsed);
    }
    return rows;
  }

  /** One native decode of a slice of the image in front of a prompt. */
  async decodeImage(
    sequence: Sequence,
    image: ImageSegment,
    features: Float32Array,
    othersAnswer: boolean,
  ): Promise<void> {
    const { slot } = sequence;
    if (!slot) return;
    const firstToken = sequence.imageTokensDone;
    const tokenCount = Math.min(
      segmentCells(image) - firstToken,
      this.#runner.options.batchTokens,
      this.#rate.sliceTokens(othersAnswer),
    );
    const started = performance.now();
    await this.#runner.decodeImage({
      sequence: slot.id,
      features,
      columns: image.columns,
      position: slot.positions,
      firstToken,
      tokenCount,
    });
    const elapsed = performance.now() - started;
    this.#planner.notePrefill(tokenCount, elapsed);
    sequence.prefillMs += elapsed;
    this.#cache.appendImageCells(slot, image, tokenCount);
    sequence.advanceImage(tokenCount);
  }

  #textSlice(prompt: Sequence | undefined, answering: number): readonly number[] {
    const segment = prompt?.nextSegment;
    if (segment?.kind !== 'text') return [];
    const room = this.#runner.options.batchTokens - answering;
    return segment.tokens.slice(0, Math.min(room, this.#rate.sliceTokens(answering > 0)));
  }
}
