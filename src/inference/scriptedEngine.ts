import { setTimeout as sleep } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import type {
  EngineInfo,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  HeldSession,
  PrewarmResult,
  PromptCount,
  StateNode,
} from '../core/request.ts';
import type { ToolCall } from '../core/tools.ts';
import { requestLimits, validateRequest } from '../core/validateRequest.ts';
import { answerGrammar } from '../engine/decode/grammar/answerGrammar.ts';
import { fromWireError } from '../engine/ipc/wireError.ts';
import { FifoSlots } from './fifoSlots.ts';
import { cutAtStop, type Script, scriptedAnswer, scriptedPieces } from './scriptedAnswer.ts';
import { ScriptedFeatures } from './scriptedFeatures.ts';
import { scriptedInfo } from './scriptedInfo.ts';
import { scriptedPromptTokens } from './scriptedPromptTokens.ts';
import { untilAborted } from './untilAborted.ts';

export interface ScriptedEngineOptions {
  readonly script?: Script;
  /** Requests that run at once; the others wait in order. Default 4. */
  readonly maxRunning?: number;
  /** Whether `calls` is kept; it grows with every call. Default true. */
  readonly recordCalls?: boolean;
  /** Called when the script says `crashAt`; in a process of its own it ends that process. */
  readonly crash?: () => void;
}

export type ScriptedCall =
  | { readonly type: 'generate' | 'prewarm'; readonly request: GenerateRequest }
  /** A generate that was aborted or left early, after this many pieces. */
  | { readonly type: 'abort'; readonly request: GenerateRequest; readonly pieces: number }
  | { readonly type: 'forget'; readonly tenant: string; readonly session?: string };

interface Run {
  readonly tenant: string;
  /** Aborted by the request's own signal, or when the engine dies or is disposed. */
  readonly signal: AbortSignal;
  /** `forget` came while it ran: what it holds goes when it ends. */
  forgotten: boolean;
}

/**
 * An inference port without a model, for tests of everything above it: answers come from a script, calls are recorded,
 * pictures are "encoded" once per tenant as in the native engine. There is no attention state, so features are all that is
 * reused. The id of an answer's token is the CRC-32 of its text, without the top bit. Formats and tools are checked as the
 * native engine does it, but a script's answers are what they are.
 */
export class ScriptedEngine implements InferencePort {
  readonly calls: ScriptedCall[] = [];
  readonly #script: Script;
  readonly #maxRunning: number;
  readonly #crash: () => void;
  readonly #recordCalls: boolean;
  readonly #slots: FifoSlots;
  readonly #features = new ScriptedFeatures();
  readonly #runs = new Set<Run>();
  readonly #sums = { imagesReused: 0, promptTokens: 0, outputTokens: 0 };
  #life = new AbortController();
  #generates = 0;
  #restarts = 0;

  constructor({
    script = [],
    maxRunning = 4,
    crash = () => {},
    recordCalls = true,
  }: ScriptedEngineOptions = {}) {
    this.#script = script;
    this.#maxRunning = maxRunning;
    this.#crash = crash;
    this.#recordCalls = recordCalls;
    this.#slots = new FifoSlots(maxRunning);
  }

  /** What a prompt took before its first token. Counts it. */
  #prompted(
    request: GenerateRequest,
    pictures: { readonly encoded: number; readonly reused: number },
    { arrivedAt, startedAt, encodedAt }: { arrivedAt: number; startedAt: number; encodedAt: number },
  ): PrewarmResult {
    const prompt = scriptedPromptTokens(request);
    this.#sums.promptTokens += prompt.all;
    this.#sums.imagesReused += pictures.reused;
    return {
      usage: {
        promptTokens: prompt.all,
        imageTokens: prompt.image,
        reusedTokens: 0,
        outputTokens: 0,
        imagesEncoded: pictures.encoded,
        imagesReused: pictures.reused,
      },
      timings: {
        queuedMs: startedAt - arrivedAt,
        encodeMs: encodedAt - startedAt,
        prefillMs: 0,
        firstTokenMs: encodedAt - arrivedAt,
        decodeMs: 0,
      },
    };
  }

  #record(call: ScriptedCall): void {
    if (this.#recordCalls) this.calls.push(call);
  }

  async ready(): Promise<EngineInfo> {
    return scriptedInfo(this.#maxRunning);
  }

  async *generate(
    request: GenerateRequest,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<GenerateEvent, void> {
    signal?.throwIfAborted();
    this.#record({ type: 'generate', request });
    checkRequest(request);
    const answer = scriptedAnswer(this.#script, request, this.#generates++);
    const { maxOutputTokens = requestLimits.defaultMaxOutputTokens } = request;
    const wanted = cutAtStop(scriptedPieces(answer, request), request.stop ?? []);
    const pieces = wanted.slice(0, maxOutputTokens);
    const wantedCalls = answer.toolCalls ?? [];
    const toolCalls = wantedCalls.slice(0, maxOutputTokens - pieces.length);
    const isWhole = pieces.length === wanted.length && toolCalls.length === wantedCalls.length;

    const arrivedAt = performance.now();
    const run = await this.#enter(request, signal);
    const startedAt = performance.now();
    let [encodedAt, firstTokenAt, sent, left] = [startedAt, startedAt, 0, true];
    let pictures = { encoded: 0, reused: 0 };
    try {
      pictures = await this.#features.hold(request, run.signal);
      encodedAt = performance.now();
      for (let at = 0; at <= pieces.length; at++) {
        run.signal.throwIfAborted();
        if (at === answer.stallAt) await untilAborted(new Promise<never>(() => {}), run.signal);
        if (at === answer.crashAt) this.#die();
        if (answer.error && at === (answer.errorAt ?? 0)) throw fromWireError(answer.error);
        const text = pieces[at];
        if (text === undefined) break;
        if (answer.delayMs) await untilAborted(sleep(answer.delayMs), run.signal);
        if (at === 0) firstTokenAt = performance.now();
        sent++;
        this.#sums.outputTokens++;
        yield { type: 'delta', text };
      }
      for (const call of toolCalls) {
        sent++;
        this.#sums.outputTokens++;
        yield { type: 'toolCall', call };
      }
      left = false;
    } catch (error) {
      left = run.signal.aborted;
      throw error;
    } finally {
      if (left) this.#record({ type: 'abort', request, pieces: sent });
      this.#leave(run);
    }

    const { usage, timings } = this.#prompted(request, pictures, { arrivedAt, startedAt, encodedAt });
    yield {
      type: 'done',
      result: {
        text: pieces.join(''),
        toolCalls,
        tokens: [...pieces, ...toolCalls.map(callText)].map((piece) => crc32(piece) & 0x7fff_ffff),
        ...(answer.imageVectors && { imageVectors: answer.imageVectors }),
        finishReason: !isWhole ? 'length' : toolCalls.length > 0 ? 'tool_calls' : 'stop',
        usage: { ...usage, outputTokens: sent },
        timings: {
          ...timings,
          firstTokenMs: firstTokenAt - arrivedAt,
          decodeMs: performance.now() - firstTokenAt,
        },
      },
    };
  }

  async prewarm(request: GenerateRequest, { signal }: { signal?: AbortSignal } = {}): Promise<PrewarmResult> {
    signal?.throwIfAborted();
    this.#record({ type: 'prewarm', request });
    checkRequest(request);
    const arrivedAt = performance.now();
    const run = await this.#enter(request, signal);
    const startedAt = performance.now();
    try {
      const pictures = await this.#features.hold(request, run.signal);
      return this.#prompted(request, pictures, { arrivedAt, startedAt, encodedAt: performance.now() });
    } finally {
      this.#leave(run);
    }
  }

  async countTokens(request: GenerateRequest): Promise<PromptCount> {
    this.#life.signal.throwIfAborted();
    checkRequest(request);
    const { all, image } = scriptedPromptTokens(request);
    return { promptTokens: all, imageTokens: image, limit: scriptedInfo(this.#maxRunning).contextTokens };
  }

  async forget(tenant: string, session?: string): Promise<void> {
    this.#record({ type: 'forget', tenant, ...(session !== undefined && { session }) });
    this.#features.drop(tenant, session);
    if (session !== undefined) return;
    for (const run of this.#runs) run.forgotten ||= run.tenant === tenant;
  }

  /** It keeps nothing beyond its life. */
  async heldSessions(): Promise<readonly HeldSession[]> {
    return [];
  }

  async keepsFeatures(): Promise<boolean> {
    return false;
  }

  async stateTree(): Promise<readonly StateNode[]> {
    return [];
  }

  async stats(): Promise<EngineStats> {
    return {
      ...this.#sums,
      encoderCalls: this.#features.encoderCalls,
      running: this.#slots.running,
      waiting: this.#slots.waiting,
      idleSequences: 0,
      droppedSequences: 0,
      kvCellsUsed: 0,
      kvCellsTotal: 0,
      featureBytes: 0,
      stateBytes: 0,
      diskBytes: 0,
      checkpoints: 0,
      lostCheckpoints: 0,
      diskFailures: 0,
      refusedObjects: {},
      plans: { byTier: { hot: 0, ram: 0, disk: 0, none: 0 }, estimatedMs: 0, actualMs: 0, errorMs: 0 },
      restoredSequences: 0,
      reusedTokens: 0,
      residentBytes: process.memoryUsage.rss(),
      restarts: this.#restarts,
    };
  }

  async dispose(): Promise<void> {
    this.#endLife('it was shut down');
  }

  async #enter({ tenant }: GenerateRequest, signal: AbortSignal | undefined): Promise<Run> {
    const { signal: life } = this.#life;
    const run: Run = { tenant, signal: signal ? AbortSignal.any([signal, life]) : life, forgotten: false };
    await this.#slots.take(run.signal);
    this.#runs.add(run);
    return run;
  }

  #leave(run: Run): void {
    this.#runs.delete(run);
    if (run.forgotten) this.#features.drop(run.tenant);
    this.#slots.release();
  }

  /** Without a process of its own the death of the engine is played: all running requests fail, all state is gone. */
  #die(): never {
    this.#crash();
    const error = this.#endLife('scripted crash');
    this.#life = new AbortController();
    this.#restarts++;
    throw error;
  }

  #endLife(reason: string): Error {
    const error = failure('engine_unavailable', { reason });
    this.#life.abort(error);
    this.#features.clear();
    return error;
  }
}

/** @throws whatever the native engine throws for a request that it can't serve with any model. */
function checkRequest(request: GenerateRequest): void {
  validateRequest(request);
  answerGrammar(request);
}

function callText({ name, arguments: given }: ToolCall): string {
  return JSON.stringify([name, given]);
}
