import type { FinishReason, GenerateResult, ImageSource, PlanReport } from '../../core/request.ts';
import type { OutputText } from '../decode/outputText.ts';
import type { Sampler } from '../decode/sampler.ts';
import { dropPrefix } from '../prompt/commonPrefix.ts';
import type { ImageSegment, Segment } from '../prompt/segment.ts';
import { segmentCells } from '../prompt/segment.ts';
import type { Checkpoint, Scope } from '../state/checkpoint.ts';
import type { Plan } from '../state/planner.ts';
import type { StateController } from '../state/stateController.ts';
import type { FeatureTicket } from '../vision/encodeOrder.ts';
import type { Beginning } from './admission.ts';
import type { KvSlot } from './kvSlot.ts';

/** What a request asks of the scheduler, rendered and checked. */
export interface SequenceRequest {
  readonly tenant: string;
  readonly session: string | undefined;
  readonly prompt: readonly Segment[];
  readonly promptCells: number;
  /** Most tokens to generate; 0 only fills the cache. */
  readonly maxOutputTokens: number;
  /** The beginning of the prompt, through its first image, that others may begin with too; whose its state is. */
  readonly shared?: { readonly cells: number; readonly scope: Scope | undefined } | undefined;
  /** Where pixels of the prompt's images come from, by `ImageSegment.key`. */
  readonly images: ReadonlyMap<string, ImageSource>;
  /** Owned by the sequence from here on; none when nothing is generated. */
  readonly sampler: Sampler | undefined;
  readonly output: OutputText;
  onDelta(text: string): void;
  onDone(result: Omit<GenerateResult, 'text' | 'tokens' | 'toolCalls'>): void;
  onError(error: unknown): void;
}

/** One request on its way through the engine: the noun that scheduler, cache and runner share. */
export class Sequence {
  readonly request: SequenceRequest;
  readonly arrivedAt = performance.now();
  phase: 'waiting' | 'prefill' | 'decode' | 'finished' = 'waiting';
  /** Asked from outside, obeyed by the scheduler before its next step. */
  abortRequested = false;
  /** Its tenant was forgotten while it waited: what it computes goes when it ends. */
  forgotten = false;

  /** Set by the scheduler on admission. */
  slot: KvSlot | undefined;
  reusedCells = 0;
  /** What of the prompt is still to be computed. */
  #remaining: Segment[] = [];
  /** Tokens of the first remaining segment, when it is an image, that are already computed. */
  imageTokensDone = 0;
  readonly #tickets = new Map<string, FeatureTicket>();
  imagesEncoded = 0;
  imagesReused = 0;

  /** Sampled, not yet decoded. */
  nextToken = 0;
  outputTokens = 0;
  #admittedAt = 0;
  #firstTokenAt = 0;
  prefillMs = 0;
  encodeMs = 0;
  loadMs = 0;
  #plan: Plan | undefined;
  #loading: Promise<void> | undefined;
  /** State that was brought from disk for this request; pinned in memory until it starts or ends. */
  #loaded: { checkpoint: Checkpoint; state: StateController; plan: Plan; ms: number } | undefined;

  constructor(request: SequenceRequest) {
    this.request = request;
  }

  get imageTokens(): number {
    return this.request.prompt.reduce(
      (sum, segment) => (segment.kind === 'image' ? sum + segmentCells(segment) : sum),
      0,
    );
  }

  /** Its state is on its way from disk: it can't start yet. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Has its state brought to memory; resolves when it is there, or lost. */
  async load(
    state: StateController,
    { checkpoint, plan }: { checkpoint: Checkpoint; plan: Plan },
  ): Promise<void> {
    this.#unpin();
    const started = performance.now();
    this.#loading = state.load(checkpoint).then(() => {
      this.#loading = undefined;
      this.#loaded = { checkpoint, state, plan, ms: performance.now() - started };
      if (this.phase === 'finished') this.#unpin();
    });
    await this.#loading;
  }

  start(slot: KvSlot, { checkpoint, plan }: Beginning): void {
    this.slot = slot;
    this.phase = 'prefill';
    this.reusedCells = slot.cells;
    const isFromDisk = this.#loaded !== undefined && this.#loaded.checkpoint === checkpoint;
    this.#plan = isFromDisk ? this.#loaded?.plan : plan;
    this.loadMs = slot.loadMs + (isFromDisk ? (this.#loaded?.ms ?? 0) : 0);
    this.#unpin();
    this.#remaining = dropPrefix(this.request.prompt, slot.cells);
    this.#admittedAt = performance.now();
    const images = (segments: readonly Segment[]): number =>
      segments.filter((segment) => segment.kind === 'image').length;
    this.imagesReused = images(this.request.prompt) - images(this.#remaining);
  }

  /** The next part of the prompt to compute, or undefined when all of it is in the cache. */
  get nextSegment(): Segment | undefined {
    return this.#remaining[0];
  }

  /** Whether the `count` next tokens of the text segment in front end the prompt. */
  endsPromptWith(count: number): boolean {
    const [first, second] = this.#remaining;
    return second === undefined && first?.kind === 'text' && first.tokens.length === count;
  }

  advanceText(count: number): void {
    const [first] = this.#remaining;
    if (first?.kind !== 'text') throw new Error('no text to advance');
    if (count === first.tokens.length) this.#remaining.shift();
    else this.#remaining[0] = { kind: 'text', tokens: first.tokens.slice(count) };
  }

  advanceImage(count: number): void {
    const [first] = this.#remaining;
    if (first?.kind !== 'image') throw new Error('no image to advance');
    this.imageTokensDone += count;
    if (this.imageTokensDone < segmentCells(first)) return;
    this.#remaining.shift();
    this.imageTokensDone = 0;
    if (this.#tickets.get(first.key)?.startedEncode) this.imagesEncoded++;
    else this.imagesReused++;
    this.#tickets.delete(first.key);
  }

  ticketFor(image: ImageSegment, claim: (source: ImageSource) => FeatureTicket): FeatureTicket {
    const held = this.#tickets.get(image.key);
    if (held) return held;
    const source = this.request.images.get(image.key);
    if (!source) throw new Error(`the prompt names an image it did not bring: ${image.key}`);
    const ticket = claim(source);
    this.#tickets.set(image.key, ticket);
    return ticket;
  }

  noteSampled(): void {
    this.outputTokens++;
    this.#firstTokenAt ||= performance.now();
  }

  #unpin(): void {
    this.#loaded?.state.unpin(this.#loaded.checkpoint);
    this.#loaded = undefined;
  }

  /** What was decided and what it took; undefined before the start. */
  get planReport(): PlanReport | undefined {
    if (!this.#plan) return undefined;
    return { ...this.#plan, actualMs: this.loadMs + this.encodeMs + this.prefillMs };
  }

  finish(reason: FinishReason): Omit<GenerateResult, 'text' | 'tokens' | 'toolCalls'> {
    const now = performance.now();
    const firstTokenAt = this.#firstTokenAt || now;
    const plan = this.planReport;
    return {
      ...(plan && { plan }),
      finishReason: reason,
      usage: {
        promptTokens: this.request.promptCells,
        imageTokens: this.imageTokens,
        reusedTokens: this.reusedCells,
        outputTokens: this.outputTokens,
        imagesEncoded: this.imagesEncoded,
        imagesReused: this.imagesReused,
      },
      timings: {
        queuedMs: this.#admittedAt - this.arrivedAt,
        loadMs: this.loadMs,
        encodeMs: this.encodeMs,
        prefillMs: this.prefillMs,
        firstTokenMs: firstTokenAt - this.arrivedAt,
        decodeMs: now - firstTokenAt,
      },
    };
  }

  /** Frees what the sequence owns. Its slot belongs to the cache. */
  dispose(): void {
    this.phase = 'finished';
    for (const ticket of this.#tickets.values()) ticket.cancel();
    this.#tickets.clear();
    this.#unpin();
    this.request.sampler?.dispose();
  }
}
