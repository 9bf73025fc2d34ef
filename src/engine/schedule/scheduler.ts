import { type AfterimageError, failure } from '../../core/errors.ts';
import { contextHolders } from '../contextLimits.ts';
import { DecodeAborted } from '../decode/decodeAbort.ts';
import type { Runner } from '../decode/runner.ts';
import { type ImageSegment, segmentCells } from '../prompt/segment.ts';
import type { Planner } from '../state/planner.ts';
import type { StateController } from '../state/stateController.ts';
import type { EncodeQueue } from '../vision/encodeQueue.ts';
import { DecodeStep, type Row } from './decodeStep.ts';
import { KvCache } from './kvCache.ts';
import { PlanTotals } from './planTotals.ts';
import type { PrefillRate } from './prefillRate.ts';
import { Sequence, type SequenceRequest } from './sequence.ts';
import { WaitingLine } from './waitingLine.ts';

export interface SchedulerLimits {
  /** Sequences that prefill or decode at the same time. */
  readonly maxRunning: number;
  readonly maxWaiting: number;
  /** A request that has waited this long is not overtaken any more by a smaller one that would fit. */
  readonly overtakeBoundMs: number;
  /** An idle sequence leaves the cache after this long, when nothing runs. */
  readonly hotIdleMs: number;
}

/** How often idle state is looked at. */
const tickMs = 1_000;

/** What the scheduler stands on, besides the runner. */
export interface SchedulerParts {
  readonly encodes: EncodeQueue;
  readonly state: StateController;
  readonly planner: Planner;
  readonly rate: PrefillRate;
}

/** The image in front of a prompt, with its features. */
interface PromptImage {
  readonly segment: ImageSegment;
  readonly features: Float32Array;
}

/**
 * Continuous batching. Each step decodes the next token of every running sequence together with a bounded slice of one
 * prompt, then a slice of one image's prompt tokens and one of an encode; so between two tokens of a running answer there are
 * at most these slices of other requests. An abort takes effect before the next step, and ends a step that works for
 * nobody else.
 *
 * Cost of a step outside the model: one entry per running sequence; admissions are looked at only when something changed.
 */
export class Scheduler {
  readonly cache: KvCache;
  readonly totals = { promptTokens: 0, reusedTokens: 0, outputTokens: 0, imagesReused: 0 };
  readonly plans = new PlanTotals();
  readonly #runner: Runner;
  readonly #encodes: EncodeQueue;
  readonly #planner: Planner;
  readonly #limits: SchedulerLimits;
  readonly #waiting: WaitingLine;
  readonly #step: DecodeStep;
  /** In order of arrival. */
  readonly #running: Sequence[] = [];
  /** Whom the native decode that runs now works for. */
  #decoding: readonly Sequence[] = [];
  #forgetting: (readonly [tenant: string, session?: string | undefined])[] = [];
  #admissionsChanged = false;
  /** Something happened since the last step began: looked at before sleeping, so that no wake-up is lost. */
  #woken = false;
  #wakeUp: (() => void) | undefined;
  #stopped = false;
  #tickIsDue = false;
  readonly #ticker: NodeJS.Timeout;
  readonly #loop: Promise<void>;

  constructor(runner: Runner, { encodes, state, planner, rate }: SchedulerParts, limits: SchedulerLimits) {
    this.#runner = runner;
    this.#encodes = encodes;
    this.#planner = planner;
    this.#limits = limits;
    const { maxSequences, kvCells } = runner.options;
    const mustEncode = (tenant: string, imageKey: string): boolean => !encodes.has(tenant, imageKey);
    this.cache = new KvCache(runner, { maxSequences, kvCells, state, planner, mustEncode });
    this.#waiting = new WaitingLine(limits.overtakeBoundMs);
    this.#step = new DecodeStep(runner, this.cache, rate, planner);
    this.#ticker = setInterval(() => {
      this.#tickIsDue = true;
      this.wake();
    }, tickMs);
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
        ? failure('context_length_exceeded', { needed, holder: contextHolders.cache, limit: total })
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
    if (this.#decoding.every(({ abortRequested }) => abortRequested)) this.#runner.abortDecode();
    this.wake();
  }

  /** Drops idle sequences of a tenant, or of one of its sessions, before the next step, and those that run or wait when they end. */
  forget(tenant: string, session?: string): void {
    for (const sequence of this.#waiting) {
      const { request } = sequence;
      sequence.forgotten ||=
        request.tenant === tenant && (session === undefined || request.session === session);
    }
    // Native memory is not to be touched while a step runs on another thread.
    this.#forgetting.push([tenant, session]);
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
    this.#wakeUp = undefined;
  }

  /** Stops within the current step; everything unfinished fails with `reason`. */
  async stop(reason: AfterimageError): Promise<void> {
    this.#stopped = true;
    this.#runner.abortDecode();
    clearInterval(this.#ticker);
    this.wake();
    await this.#loop;
    // Who closes the engine keeps what is idle then.
    this.#forget();
    for (const sequence of [...this.#waiting, ...this.#running]) this.#fail(sequence, reason);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      const worked = await this.#advance();
      // Aborts and new requests arrive through the event loop: let it turn between two steps.
      if (worked) await new Promise<void>((resolve) => setImmediate(resolve));
      else if (!this.#woken) {
        this.cache.checkIntegrity();
        await new Promise<void>((resolve) => {
          this.#wakeUp = resolve;
        });
      }
    }
  }

  /** Returns whether there was anything to do. */
  async #advance(): Promise<boolean> {
    this.#dropAborted();
    this.#forget();
    this.#admit();
    const prompt = this.#nextPrompt();
    const decoded = await this.#decodeTokens(prompt?.image ? undefined : prompt?.sequence);
    const imageDecoded = prompt?.image ? await this.#decodeImage(prompt.sequence, prompt.image) : false;
    const encoded = this.#encodes.canStep();
    if (encoded) await this.#encodes.step();
    return decoded || imageDecoded || encoded || this.#demoteIdle();
  }

  #forget(): void {
    for (const forgotten of this.#forgetting) this.cache.forget(...forgotten);
    this.#admissionsChanged ||= this.#forgetting.length > 0;
    this.#forgetting = [];
  }

  /** Looks once in a while, and lets sequences go one a step while nobody waits for an answer. */
  #demoteIdle(): boolean {
    if (!this.#tickIsDue) return false;
    this.cache.state.tick();
    this.#tickIsDue = this.#running.length === 0 && this.cache.demoteIdle(this.#limits.hotIdleMs);
    return this.#tickIsDue;
  }

  #dropAborted(): void {
    for (const sequence of [...this.#waiting, ...this.#running]) {
      if (sequence.abortRequested) this.#end(sequence);
    }
  }

  readonly #stateCame = (): void => {
    this.#admissionsChanged = true;
    this.wake();
  };

  #admit(): void {
    if (!this.#admissionsChanged) return;
    this.#admissionsChanged = false;
    while (this.#running.length < this.#limits.maxRunning) {
      const admitted = this.#waiting.next(this.cache, this.#stateCame);
      if (!admitted) return;
      const { sequence, slot, beginning } = admitted;
      this.#running.push(sequence);
      sequence.start(slot, beginning);
      if (sequence.forgotten) this.cache.forgetAtEnd(slot);
      this.totals.promptTokens += sequence.request.promptCells;
      this.totals.reusedTokens += sequence.reusedCells;
      this.#finishWithoutAnswer(sequence);
    }
  }

  /** The oldest prompt whose next part can be computed now. Asks for the features of images that come next. */
  #nextPrompt(): { sequence: Sequence; image?: PromptImage } | undefined {
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
        if (ticket.encodeMs > 0) this.#planner.encode.note(segmentCells(segment), ticket.encodeMs);
        ticket.encodeMs = 0;
        return { sequence, image: { segment, features: ticket.features } };
      }
    }
    return undefined;
  }

  async #decodeTokens(prompt: Sequence | undefined): Promise<boolean> {
    const answering = this.#running.filter((sequence) => sequence.phase === 'decode');
    const involved = prompt ? [...answering, prompt] : answering;
    const rows = await this.#attempt(involved, () => this.#step.decodeTokens(answering, prompt));
    for (const row of rows ?? []) this.#sample(row);
    if (prompt) this.#promptAdvanced(prompt);
    return involved.length > 0;
  }

  async #decodeImage(sequence: Sequence, image: PromptImage): Promise<boolean> {
    // It may have ended by a failure of the token batch just before.
    if (sequence.phase !== 'prefill') return true;
    const othersAnswer = this.#running.some((other) => other.phase === 'decode');
    await this.#attempt([sequence], () =>
      this.#step.decodeImage(sequence, image.segment, image.features, othersAnswer),
    );
    const { slot, request } = sequence;
    if (slot && slot.cells === request.shared?.cells) this.cache.keepShared(slot, request.shared.scope);
    this.#promptAdvanced(sequence);
    return true;
  }

  /** What a prompt has added may be the prefix that another request waits for. */
  #promptAdvanced(sequence: Sequence): void {
    this.#admissionsChanged ||= this.#waiting.length > 0;
    this.#finishWithoutAnswer(sequence);
  }

  #sample({ sequence, index }: Row): void {
    const { sampler, output, maxOutputTokens } = sequence.request;
    if (!sampler) throw new Error('an answering sequence has a sampler');
    let token: number;
    try {
      token = this.#runner.sample(sampler, index);
    } catch (error) {
      this.#fail(sequence, error);
      return;
    }
    sequence.phase = 'decode';
    sequence.noteSampled();
    this.totals.outputTokens++;
    if (this.#runner.vocabulary.isEndOfGeneration(token)) {
      this.#finish(sequence, 'stop');
      return;
    }
    const { delta, stopped } = output.push(token);
    if (delta) sequence.request.onDelta(delta);
    if (stopped) this.#finish(sequence, 'stop');
    else if (sequence.outputTokens >= maxOutputTokens) this.#finish(sequence, 'length');
    else sequence.nextToken = token;
  }

  #finish(sequence: Sequence, reason: 'stop' | 'length'): void {
    const { delta } = sequence.request.output.finish({ atLimit: reason === 'length' });
    if (delta) sequence.request.onDelta(delta);
    const result = sequence.finish(reason);
    if (result.plan) this.plans.add(result.plan);
    this.#end(sequence);
    sequence.request.onDone(result);
  }

  /** A prewarm ends with its prompt. */
  #finishWithoutAnswer(sequence: Sequence): void {
    if (sequence.phase !== 'prefill' || sequence.request.maxOutputTokens > 0 || sequence.nextSegment) return;
    this.#finish(sequence, 'length');
  }

  /** After a failed native call the memory of everything it touched is unknown: those sequences fail and are forgotten. */
  async #attempt<T>(involved: readonly Sequence[], decode: () => Promise<T>): Promise<T | undefined> {
    this.#decoding = involved;
    try {
      return await decode();
    } catch (error) {
      if (error instanceof DecodeAborted) return undefined;
      for (const sequence of involved) {
        if (sequence.slot) this.cache.discard(sequence.slot);
        sequence.slot = undefined;
        this.#fail(sequence, error);
      }
      return undefined;
    } finally {
      this.#decoding = [];
    }
  }

  #fail(sequence: Sequence, error: unknown): void {
    this.#end(sequence);
    sequence.request.onError(error);
  }

  #end(sequence: Sequence): void {
    this.#waiting.remove(sequence);
    const index = this.#running.indexOf(sequence);
    if (index >= 0) this.#running.splice(index, 1);
    this.totals.imagesReused += sequence.imagesReused;
    if (sequence.slot) this.cache.release(sequence.slot);
    sequence.slot = undefined;
    sequence.dispose();
    this.#admissionsChanged = true;
  }
}
