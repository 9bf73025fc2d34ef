import type { FinishReason, Timings, Usage } from '../core/request.ts';
import type { ItemRuns } from './itemRuns.ts';
import type { PictureDetail, StoredItem } from './items.ts';

/** All that a session is, in one record: everything in it changes by one compare-and-set, or not at all. */
export interface SessionRecord {
  readonly session: string;
  readonly createdAtMs: number;
  readonly idleTtlMs: number;
  /** One more with every committed change. An intent is none. */
  readonly version: number;
  /** One more with every intent: what was begun under an older one can't commit. */
  readonly epoch: number;
  /** Serials name turns and what else brings items. An intent uses one up, so an id that was ever seen is never given again. */
  readonly nextSerial: number;
  readonly conversation: ConversationRecord | null;
  readonly responses: readonly ResponseRecord[];
  /** By index; null where one was erased. Items of the intent are at the end. */
  readonly items: readonly (StoredItem | null)[];
  readonly pictures: readonly PictureRecord[];
  readonly intent: Intent | null;
  /** Reply pointers that were ever made for this session; they go when it goes. */
  readonly pointers: readonly string[];
  readonly lastAppend: Append | null;
}

export interface ConversationRecord {
  readonly metadata: Metadata;
  readonly items: ItemRuns;
}

export type Metadata = Readonly<Record<string, string>>;

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

export interface ResponseRecord {
  readonly serial: number;
  readonly parent: number | null;
  /** It was a turn of the session's conversation. */
  readonly inConversation: boolean;
  readonly background: boolean;
  readonly status: ResponseStatus;
  readonly createdAtMs: number;
  readonly completedAtMs: number | null;
  /** See `turnDigest`. */
  readonly requestDigest: string;
  /** The reply pointer it was made under. */
  readonly pointer: string | null;
  readonly instructions: string | null;
  readonly metadata: Metadata;
  /** Request fields that the reply repeats; the gateway's, never looked into. */
  readonly echo: Readonly<Record<string, unknown>>;
  /** All items before its own, so that no loss up the chain can shorten history unseen. */
  readonly context: ItemRuns;
  readonly input: ItemRuns;
  readonly output: ItemRuns;
  /**
   * How long each piece was in which its text came, packed like tokens: a stream that is given again by its idempotency key is
   * cut in the same places. Left out without a key, and where there was one piece at most.
   */
  readonly deltas?: string;
  readonly result: TurnResult | null;
  readonly comparison: Comparison | null;
  /** Of the tools and the output format it was asked with, for later comparisons; null: none. */
  readonly toolsDigest: string | null;
  readonly formatDigest: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface TurnResult {
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  /** To 0.1 ms. */
  readonly timings: Timings;
  readonly tier: StateTier;
  /** What the engine estimated that its way would take, and what it took, in ms; left out by engines that plan nothing. */
  readonly plan?: { readonly estimatedMs: number; readonly actualMs: number };
  /** Items left out of the prompt, oldest first, so that it fits; 0 unless that was asked for. */
  readonly droppedItems: number;
}

/** Where the state that a turn began from was: attention state, features, pictures only, or nothing to bring back. */
export type StateTier = 'hot' | 'ram' | 'disk' | 'features' | 'pixels' | 'none';

/** How much of another response's attention state a turn could reuse; `compare` has the rule. */
export type Comparison =
  | { readonly type: 'hit' }
  | {
      readonly type: 'miss';
      /** Prompt tokens that had to be computed though the other response had them. */
      readonly missedTokens: number;
      readonly reason:
        | 'tools_changed'
        | 'text_format_changed'
        | 'input_changed'
        | 'not_found'
        | 'unavailable';
    };

export interface PictureRecord {
  readonly number: number;
  readonly blobId: string;
  readonly detail: PictureDetail;
  /** As in `ImageSource`. */
  readonly digest: string;
  readonly width: number;
  readonly height: number;
  /** `ImageVector` as its space, a colon and base64; null until an answer came with it. It is as private as the picture. */
  readonly vector: string | null;
}

/** A turn that has begun. It is dead when it isn't committed and its owner is gone, or its deadline passed. */
export interface Intent {
  readonly owner: string;
  readonly epoch: number;
  readonly deadlineMs: number;
  /** In progress, with its input already among the items. */
  readonly response: ResponseRecord;
}

/** The last time items were added to the conversation without a turn: what a client's retry is told by. */
export interface Append {
  readonly digest: string;
  readonly atMs: number;
  readonly items: ItemRuns;
}
