/** The API-level entries of a session, as the gateway gives and gets them. */

/** How closely a picture is looked at: a pixel budget chosen by the intake. */
export type PictureDetail = 'auto' | 'low' | 'high' | 'original';
export type MessageRole = 'user' | 'assistant' | 'system' | 'developer';

export interface TextPart {
  readonly type: 'input_text' | 'output_text';
  readonly text: string;
}

/** A picture named by its file, or by the id of a blob that was put without one. One of both must be there. */
export interface InputPicturePart {
  readonly type: 'input_image';
  readonly fileId?: string;
  readonly blobId?: string;
  readonly detail?: PictureDetail;
}

export interface PicturePart {
  readonly type: 'input_image';
  /** The file it came from; it may have been deleted since. */
  readonly fileId: string | null;
  readonly blobId: string;
  readonly detail: PictureDetail;
}

interface Message<Part> {
  readonly type: 'message';
  readonly role: MessageRole;
  readonly content: readonly (TextPart | Part)[];
}

interface FunctionCall {
  readonly type: 'function_call';
  readonly callId: string;
  readonly name: string;
  /** JSON text, as the model wrote it. */
  readonly arguments: string;
}

interface FunctionCallOutput<Part> {
  readonly type: 'function_call_output';
  readonly callId: string;
  readonly output: string | readonly (TextPart | Part)[];
}

/** Kept, never rendered into a prompt. */
interface Reasoning {
  readonly type: 'reasoning';
  readonly summary: readonly string[];
  readonly text: string | null;
}

export type Entry<Part> = Message<Part> | FunctionCall | FunctionCallOutput<Part> | Reasoning;

/** Stands for a copy of an item that is kept already, in this session or in another one of the tenant. */
export interface ItemReference {
  readonly type: 'item_reference';
  readonly id: string;
}

export type InputItem = Entry<InputPicturePart> | ItemReference;

export type ItemStatus = 'completed' | 'incomplete';
export type Item = Entry<PicturePart> & { readonly id: string; readonly status: ItemStatus };
export type FunctionCallItem = Extract<Item, { type: 'function_call' }>;

export interface StoredPicturePart {
  readonly type: 'input_image';
  /** `PictureRecord.number` in the same session. */
  readonly picture: number;
  readonly fileId?: string;
}

export type StoredItem = Entry<StoredPicturePart> & {
  /** What the item's id ends with. */
  readonly place: string;
  /** Left out when completed. */
  readonly status?: 'incomplete';
  /** Of an answer, on its first item: the token ids all of it was generated with, packed. */
  readonly tokens?: string;
  /** Beside `tokens`: how many function calls they hold; left out when none. */
  readonly calls?: number;
  /** Of a function call whose output was erased: it waits for none, and is not shown to the model without one. */
  readonly outputErased?: true;
};

/** Texts and pictures of an item, wherever its type keeps them. */
export function partsOf<Part>(item: Entry<Part>): readonly (TextPart | Part)[] {
  if (item.type === 'message') return item.content;
  return item.type === 'function_call_output' && typeof item.output !== 'string' ? item.output : [];
}

export function withParts<Part>(item: Entry<unknown>, parts: readonly (TextPart | Part)[]): Entry<Part> {
  if (item.type === 'message') return { ...item, content: parts };
  if (item.type !== 'function_call_output') return item;
  return { ...item, output: typeof item.output === 'string' ? item.output : parts };
}
