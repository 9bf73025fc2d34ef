import type { WireError } from '../../ipc/wireError.ts';
import type { DiskObject } from '../diskTier.ts';
import type { NewObject, Refusal, StateFolderOptions } from './stateFolder.ts';

/** Messages to the thread that owns the folder; each is answered by one reply, in order. */
export type ToFolder =
  | { readonly type: 'open'; readonly options: StateFolderOptions }
  | { readonly type: 'write'; readonly object: NewObject; readonly body: Uint8Array }
  | { readonly type: 'read'; readonly id: string }
  | { readonly type: 'scan'; readonly limit: number }
  | { readonly type: 'remove'; readonly ids: readonly string[] }
  | { readonly type: 'hold'; readonly tenant: string; readonly image: string; readonly session: string }
  | { readonly type: 'forget'; readonly tenant: string; readonly session: string | undefined }
  | { readonly type: 'yieldSpace' }
  | { readonly type: 'sessions' }
  | { readonly type: 'close' };

/** What each message is answered with. */
export interface FolderReplies {
  /** A secret that is the same as long as the master key is. */
  open: Uint8Array;
  write: DiskObject;
  read: Uint8Array | undefined;
  scan: { readonly objects: readonly DiskObject[]; readonly done: boolean };
  remove: undefined;
  hold: undefined;
  forget: readonly string[];
  yieldSpace: undefined;
  sessions: readonly { tenant: string; session: string }[];
  close: undefined;
}

export interface FolderStats {
  readonly bytes: number;
  readonly refused: Readonly<Record<Refusal, number>>;
}

export type FromFolder = ({ readonly value: unknown } | { readonly error: WireError }) & {
  readonly stats: FolderStats | undefined;
  /** Objects that had to go. */
  readonly evicted: readonly string[];
};
