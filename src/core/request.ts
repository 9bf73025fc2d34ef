/** What goes into the inference port and what comes out of it: the vocabulary shared by all layers above the engine. */
import type { ImageVector } from './imageVector.ts';
import type { FunctionTool, OutputFormat, ToolCall, ToolChoice } from './tools.ts';

/** One picture as the model will see it: canonical RGB pixels, already brought to the model's size. */
export interface ImageSource {
  /** `sha256:` + hex over domain, size, mode and canonical pixels, before resizing. */
  readonly digest: string;
  /** Pixels given to the vision encoder; both sides are multiples of the model's patch x merge (32). */
  readonly width: number;
  readonly height: number;
  /** Fetches width x height x 3 bytes of RGB. Called only when the engine does not hold the features. */
  readonly pixels: () => Promise<Uint8Array>;
}

/** A picture without its pixels. */
export type ImageName = Omit<ImageSource, 'pixels'>;

export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly image: ImageSource };

export interface ChatMessage {
  /** `tool`: what a function gave back; it follows the assistant message that called it, one message per call, in their order. */
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly ContentPart[];
  /** For an assistant message: the functions it called, after its text. */
  readonly toolCalls?: readonly ToolCall[];
  /**
   * For a committed assistant message: the token ids it was generated with, used instead of tokenizing its text and calls
   * again.
   */
  readonly tokens?: readonly number[];
}

/** Sampling parameters; the defaults make decoding greedy. */
export interface Sampling {
  /** 0 is greedy, up to 2. */
  readonly temperature: number;
  /** Keep the k likeliest tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of tokens with this probability mass, in (0, 1]. */
  readonly topP: number;
  /** Drop tokens less likely than this share of the likeliest one, in [0, 1). */
  readonly minP: number;
  /** 1 is off, above 1 discourages repetition. */
  readonly repeatPenalty: number;
  /** -2 to 2, 0 is off. */
  readonly frequencyPenalty: number;
  /** -2 to 2, 0 is off. */
  readonly presencePenalty: number;
  /** 32-bit seed; null draws one. */
  readonly seed: number | null;
  /** Added to the logits of single token ids, -100 to 100. */
  readonly logitBias: Readonly<Record<number, number>>;
}

export interface GenerateRequest {
  /** Whose memory this is part of, so that what was made for it can go with it; none: nobody's. */
  readonly session?: string;
  /** Owner of everything this request may reuse; sequences and features are never shared across tenants. */
  readonly tenant: string;
  readonly messages: readonly ChatMessage[];
  readonly sampling?: Partial<Sampling>;
  /** At least 1. Default: what the context has left, at most 1024. */
  readonly maxOutputTokens?: number;
  /** Up to 4 strings; generation stops before the first one that appears. */
  readonly stop?: readonly string[];
  readonly tools?: readonly FunctionTool[];
  /** Default `auto` with tools, `none` without. */
  readonly toolChoice?: ToolChoice;
  /** False: at most one call in an answer. Default true. */
  readonly parallelToolCalls?: boolean;
  /** Left out: plain text. */
  readonly format?: OutputFormat;
  /** W3C trace context of the caller, for the engine's log lines. */
  readonly traceparent?: string;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** What a prompt would take, images included. */
export interface PromptCount {
  readonly promptTokens: number;
  readonly imageTokens: number;
  /** The most tokens prompt and answer may have together. */
  readonly limit: number;
}

export interface Usage {
  /** Tokens of the whole prompt, image tokens included. */
  readonly promptTokens: number;
  readonly imageTokens: number;
  /** Prompt tokens whose attention state was already there. */
  readonly reusedTokens: number;
  readonly outputTokens: number;
  /** Images of the prompt that went through the vision encoder for this request, and that did not have to. */
  readonly imagesEncoded: number;
  readonly imagesReused: number;
}

/** Milliseconds, measured in the engine process. */
export interface Timings {
  readonly queuedMs: number;
  readonly encodeMs: number;
  readonly prefillMs: number;
  /** Bringing attention state back from a tier below the engine's cache; 0 or left out: none was. */
  readonly loadMs?: number;
  /** From arrival at the engine to the first sampled token. */
  readonly firstTokenMs: number;
  /** From the first sampled token to the last. */
  readonly decodeMs: number;
}

/** How the engine came by a prompt's attention state. */
export interface PlanReport {
  /** Where it began: in the cache, from memory, from disk, or with nothing. */
  readonly tier: 'hot' | 'ram' | 'disk' | 'none';
  /** What loading, encoding and computing were estimated to take, and what they took, in ms. */
  readonly estimatedMs: number;
  readonly actualMs: number;
}

export interface GenerateResult {
  /** Without the calls. */
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  /** Token ids of the whole answer, text and calls; give them back as `ChatMessage.tokens` in the next turn. */
  readonly tokens: readonly number[];
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
  /** Left out by engines that keep no state. */
  readonly plan?: PlanReport;
  /** Of those images of the prompt whose features were at hand; left out when there are none. */
  readonly imageVectors?: readonly ImageVector[];
}

export type GenerateEvent =
  | { readonly type: 'delta'; readonly text: string }
  /** A call that is complete; it comes after all text. */
  | { readonly type: 'toolCall'; readonly call: ToolCall }
  | { readonly type: 'done'; readonly result: GenerateResult };

/** What an engine says of itself once it is ready. */
export interface EngineInfo {
  readonly model: string;
  readonly parameters: number;
  readonly contextTokens: number;
  /** KV cells shared by all sequences. */
  readonly kvCells: number;
  /** How keys and values are held: f16, q8_0 or q4_0. */
  readonly kvType: string;
  readonly maxRunning: number;
  readonly vision: {
    readonly hidden: number;
    readonly layers: number;
    readonly deepstackLayers: number;
    readonly featureWidth: number;
    readonly weightType: string;
    /** Kernels of ours that its matmuls run on; none: the library's. */
    readonly kernels: readonly string[];
    /** Why kernels for this machine are not used. */
    readonly kernelProblems: readonly string[];
    /** How the weight type was chosen: measured GFLOP/s by type, or empty when it was given. */
    readonly probeGflops: Readonly<Record<string, number>>;
  };
  readonly backend: string;
  readonly device: string;
  readonly instructionSets: string;
  readonly threads: number;
  readonly loadMs: number;
}

export interface EngineStats {
  readonly encoderCalls: number;
  readonly imagesReused: number;
  readonly running: number;
  readonly waiting: number;
  readonly idleSequences: number;
  readonly droppedSequences: number;
  readonly kvCellsUsed: number;
  readonly kvCellsTotal: number;
  readonly featureBytes: number;
  /** Attention state of idle sequences outside the cache: in memory, and on disk with features. */
  readonly stateBytes: number;
  readonly diskBytes: number;
  /** Prompts whose attention state is kept outside the cache. */
  readonly checkpoints: number;
  /** Those that were dropped because they could not be written in time. */
  readonly lostCheckpoints: number;
  /** Writes to disk that failed. */
  readonly diskFailures: number;
  /** Objects on disk that were not let in, by reason. */
  readonly refusedObjects: Readonly<Record<string, number>>;
  /** Requests by where their state came from, and what that was estimated to take and took. */
  readonly plans: {
    readonly byTier: Readonly<Record<PlanReport['tier'], number>>;
    readonly estimatedMs: number;
    readonly actualMs: number;
    readonly errorMs: number;
  };
  /** How often such state was brought back. */
  readonly restoredSequences: number;
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly outputTokens: number;
  readonly residentBytes: number;
  /** How often the engine process was started again after it died. */
  readonly restarts: number;
}

/** What preparing a prompt took; no token was generated. */
export type PrewarmResult = Pick<GenerateResult, 'usage' | 'timings' | 'plan' | 'imageVectors'>;

/** A border in the prompts of one session, and what the engine keeps there. */
export interface StateNode {
  /** The beginning of its state key. */
  readonly key: string;
  /** Null for the first segment of a prompt. */
  readonly parent: string | null;
  readonly kind: 'text' | 'image';
  /** Of its own segment. */
  readonly tokens: number;
  /** Bytes by tier; features are those of the image itself, in memory or on disk. */
  readonly tiers: Readonly<Partial<Record<'hot' | 'ram' | 'disk' | 'features', number>>>;
}

/** A session that an engine keeps state of. */
export interface HeldSession {
  readonly tenant: string;
  readonly session: string;
}
