import { AfterimageError, failure } from '../../core/errors.ts';
import type { BatchToken, Runner } from '../decode/runner.ts';
import type { ImageSegment } from '../prompt/segment.ts';
import { segmentCells } from '../prompt/segment.ts';
import type { EncodeQueue } from '../vision/encodeQueue.ts';
import { KvCache } from './kvCache.ts';
import { PrefillRate } from './prefillRate.ts';
import { Sequence, type SequenceRequest } from './sequence.ts';

export interface SchedulerLimits {
  /** Sequences that prefill or decode at the same time. */
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** A request that has waited this long is not overtaken any more by a smaller one that would fit. */
  readonly overtakeBoundMs: number;
}

interface Row {
  readonly sequence: Sequence;
  readonly index: number;
}

/**
 * Continuous batching. Each step decodes the next token of every running sequence together with a bounded slice of one
 * prompt, then a slice of one image's prompt tokens or of one encode; so a running answer never waits for more than one
 * slice of somebody else's picture. An abort takes effect before the next step.
 *
 * Cost of a step outside the model: one entry per running sequence; admissions are looked at only when something changed.
 */
export class Scheduler {
  readonly cache: KvCache;
  readonly totals = { promptTokens: 0, reusedTokens: 0, outputTokens: 0, imagesReused: 0 };
  readonly #runner: Runner;
  readonly #encodes: EncodeQueue;
  readonly #limits: SchedulerLimits;
  readonly #waiting: Sequence[] = [];
  /** In order of arrival. */
  readonly #running: Sequence[] = [];
  readonly #rate = new PrefillRate();
  #admissionsChanged = false;
  #wakeUp: (() => void) | undefined;
  #stopped = false;
  readonly #loop: Promise<void>;

  constructor(runner: Runner, encodes: EncodeQueue, limits: SchedulerLimits) {
    this.#runner = runner;
    this.#encodes = encodes;
    this.#limits = limits;
    this.cache = new KvCache(runner, runner.options.maxSequences, runner.options.kvCells);
    this.#loop = this.#run();
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Takes over the request's sampler. @throws engine_overloaded, context_length_exceeded */
  submit(request: SequenceRequest): Sequence {
    const sequence = new Sequence(request);
    const needed = request.promptCells + request.maxOutputTokens;
    const total = this.cache.ledger.total;
    const problem =
      needed > total
        ? failure('context_length_exceeded', { needed, limit: total })
        : this.#waiting.length >= this.#limits.maxWaiting
          ? failure('engine_overloaded', { waiting: this.#waiting.length, limit: this.#limits.maxWaiting })
          : undefined;
    if (problem) {
      sequence.dispose();
      throw problem;
    }
    this.#waiting.push(sequence);
    this.#admissionsChanged = true;
    this.wake();
    return sequence;
  }

  /** Ends a sequence before the next step, without a result. Does nothing when it has ended. */
  abort(sequence: Sequence): void {
    if (sequence.phase === 'finished') return;
    sequence.abortRequested = true;
    this.wake();
  }

  wake(): void {
    this.#wakeUp?.();
    this.#wakeUp = undefined;
  }

  /** Stops after the current step; everything unfinished fails with `reason`. */
  async stop(reason: AfterimageError): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#loop;
    for (const sequence of [...this.#waiting, ...this.#running]) this.#fail(sequence, reason);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const worked = await this.#step();
      // Aborts and new requests arrive through the event loop: let it turn between two steps.
      if (worked) await new Promise<void>((resolve) => setImmediate(resolve));
      else if (!this.#stopped && !this.#hasAborts()) {
        this.cache.checkIntegrity();
        await new Promise<void>((resolve) => {
          this.#wakeUp = resolve;
        });
      }
    }
  }

  /** Returns whether there was anything to do. */
  async #step(): Promise<boolean> {
    this.#dropAborted();
    this.#admit();
    const prompt = this.#nextPrompt();
    const decoded = await this.#decodeTokens(prompt?.sequence);
    const imageDecoded = prompt?.image ? await this.#decodeImageSlice(prompt.sequence, prompt.image) : false;
    const encoded = this.#encodes.canStep();
    if (encoded) await this.#encodes.step();
    return decoded || imageDecoded || encoded;
  }

  #hasAborts(): boolean {
    return [...this.#waiting, ...this.#running].some((sequence) => sequence.abortRequested);
  }

  #dropAborted(): void {
    for (const sequence of [...this.#waiting, ...this.#running]) {
      if (sequence.abortRequested) this.#end(sequence);
    }
  }

  #admit(): void {
    if (!this.#admissionsChanged) return;
    this.#admissionsChanged = false;
    const now = performance.now();
    for (const sequence of [...this.#waiting]) {
      if (this.#running.length >= this.#limits.maxRunning) return;
      const { tenant, prompt, promptCells, maxOutputTokens } = sequence.request;
      const demand = { tenant, prompt, promptCells, outputTokens: maxOutputTokens };
      const admission = this.cache.canAdmit(demand);
      if (admission.kind === 'now') {
        this.#waiting.splice(this.#waiting.indexOf(sequence), 1);
        this.#running.push(sequence);
        sequence.start(this.cache.admit(demand, admission));
        this.totals.promptTokens += promptCells;
        this.totals.reusedTokens += sequence.reusedCells;
        this.#finishWithoutAnswer(sequence);
      } else if (admission.kind === 'full' && now - sequence.arrivedAt > this.#limits.overtakeBoundMs) {
        return;
      }
    }
  }

  /** The oldest prompt whose next part can be computed now. Asks for the features of images that come next. */
  #nextPrompt(): { sequence: Sequence; image?: { segment: ImageSegment; features: Float32Array } } | undefined {
    for (const sequence of [...this.#running]) {
      if (sequence.phase !== 'prefill') continue;
      const segment = sequence.nextSegment;
      if (segment?.kind !== 'image') return { sequence };
      const ticket = sequence.ticketFor(segment, (source) =>
        this.#encodes.claim(sequence.request.tenant, segment.key, source),
      );
      if (ticket.error) {
        this.#fail(sequence, ticket.error);
      } else if (ticket.features) {
        sequence.encodeMs += ticket.encodeMs;
        ticket.encodeMs = 0;
        return { sequence, image: { segment, features: ticket.features } };
      }
    }
    return undefined;
  }

  /** One native decode: the next token of every answering sequence, and a slice of `prompt`'s text. */
  async #decodeTokens(prompt: Sequence | undefined): Promise<boolean> {
    const entries: BatchToken[] = [];
    const rows: Row[] = [];
    for (const sequence of this.#running) {
      const { slot, phase, nextToken } = sequence;
      if (phase !== 'decode' || !slot) continue;
      rows.push({ sequence, index: entries.length });
      entries.push({ sequence: slot.id, token: nextToken, position: slot.positions, wantsLogits: true });
    }
    const answering = rows.length;
    const segment = prompt?.nextSegment;
    let slice: readonly number[] = [];
    if (prompt?.slot && segment?.kind === 'text') {
      const room = this.#runner.options.batchTokens - entries.length;
      slice = segment.tokens.slice(0, Math.min(room, this.#rate.sliceTokens(answering > 0)));
      const endsPrompt = prompt.endsPromptWith(slice.length) && prompt.request.maxOutputTokens > 0;
      for (const [index, token] of slice.entries()) {
        const wantsLogits = endsPrompt && index === slice.length - 1;
        if (wantsLogits) rows.push({ sequence: prompt, index: entries.length });
        entries.push({ sequence: prompt.slot.id, token, position: prompt.slot.positions + index, wantsLogits });
      }
    }
    if (entries.length === 0) return false;

    const involved = new Set(rows.map((row) => row.sequence));
    if (prompt && slice.length > 0) involved.add(prompt);
    const started = performance.now();
    if (!(await this.#attempt(involved, () => this.#runner.decodeTokens(entries)))) return true;
    const elapsed = performance.now() - started;

    for (const { sequence } of rows.slice(0, answering)) {
      if (sequence.slot) this.cache.appendTokens(sequence.slot, [sequence.nextToken]);
    }
    if (prompt?.slot && slice.length > 0) {
      this.cache.appendTokens(prompt.slot, slice);
      prompt.advanceText(slice.length);
      prompt.prefillMs += elapsed;
      if (answering === 0) this.#rate.note(slice.length, elapsed);
      this.#admissionsChanged ||= this.#waiting.length > 0;
    }
    for (const row of rows) this.#sample(row);
    if (prompt) this.#finishWithoutAnswer(prompt);
    return true;
  }

  async #decodeImageSlice(
    sequence: Sequence,
    image: { segment: ImageSegment; features: Float32Array },
  ): Promise<boolean> {
    const { slot } = sequence;
    // It may have ended by a failure of the token batch just before.
    if (!slot || sequence.phase !== 'prefill') return false;
    const { segment, features } = image;
    const firstToken = sequence.imageTokensDone;
    const othersAnswer = this.#running.some((other) => other.phase === 'decode');
    const tokenCount = Math.min(
      segmentCells(segment) - firstToken,
      this.#runner.options.batchTokens,
      this.#rate.sliceTokens(othersAnswer),
    );
    const slice = { sequence: slot.id, features, columns: segment.columns, position: slot.positions };
    const started = performance.now();
    const decode = (): Promise<void> => this.#runner.decodeImage({ ...slice, firstToken, tokenCount });
    if (!(await this.#attempt([sequence], decode))) return true;
    const elapsed = performance.now() - started;
    this.#rate.note(tokenCount, elapsed);
    sequence.prefillMs += elapsed;
    this.cache.appendImageCells(slot, segment, tokenCount);
    sequence.advanceImage(tokenCount);
    this.#admissionsChanged ||= this.#waiting.length > 0;
    this.#finishWithoutAnswer(sequence);
    return true;
  }

  #sample({ sequence, index }: Row): void {
    const { sampler, output, maxOutputTokens } = sequence.request;
    if (!sampler) throw new Error('an answering sequence has a sampler');
    const token = this.#runner.sample(sampler, index);
    sequence.phase = 'decode';
    sequence.noteSampled();
    this.totals.outputTokens++;
    if (this.#runner.vocabulary.isEndOfGeneration(token)) return this.#finish(sequence, 'stop');
    const { delta, stopped } = output.push(token);
    if (delta && !stopped) sequence.request.onDelta(delta);
    if (stopped) {
      if (delta) sequence.request.onDelta(delta);
      return this.#finish(sequence, 'stop');
    }
    if (sequence.outputTokens >= maxOutputTokens) return this.#finish(sequence, 'length');
    sequence.nextToken = token;
  }

  #finish(sequence: Sequence, reason: 'stop' | 'length'): void {
    const { delta } = sequence.request.output.finish();
    if (delta) sequence.request.onDelta(delta);
    const result = sequence.finish(reason);
    this.#end(sequence);
    sequence.request.onDone(result);
  }

  /** A prewarm ends with its prompt. */
  #finishWithoutAnswer(sequence: Sequence): void {
    if (sequence.phase !== 'prefill' || sequence.request.maxOutputTokens > 0 || sequence.nextSegment) return;
    this.#finish(sequence, 'length');
  }

  /** After a failed native call the memory of everything it touched is unknown: those sequences fail and are forgotten. */
  async #attempt(involved: Iterable<Sequence>, decode: () => Promise<void>): Promise<boolean> {
    try {
      await decode();
      return true;
    } catch (error) {
      for (const sequence of involved) {
        if (sequence.slot) this.cache.discard(sequence.slot);
        sequence.slot = undefined;
        this.#fail(sequence, error);
      }
      return false;
    }
  }

  #fail(sequence: Sequence, error: unknown): void {
    this.#end(sequence);
    sequence.request.onError(error);
  }

  #end(sequence: Sequence): void {
    for (const list of [this.#waiting, this.#running]) {
      const index = list.indexOf(sequence);
      if (index >= 0) list.splice(index, 1);
    }
    this.totals.imagesReused += sequence.imagesReused;
    if (sequence.slot) this.cache.release(sequence.slot);
    sequence.slot = undefined;
    sequence.dispose();
    this.#admissionsChanged = true;
  }
}
