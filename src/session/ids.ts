import { randomBytes } from 'node:crypto';

/**
 * Every id of a session carries the session's own part, so that looking something up needs the session's record and no
 * index. The part is 128 random bits in base 62, always 22 characters.
 *
 *     conv_<22>      resp_<22><serial>      msg_<22><serial>i<index>
 *
 * The id of a function call, `call_<22>`, names no session: clients send it back with the output, to any branch.
 */
const sessionLength = 22;
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function newSession(): string {
  let value = BigInt(`0x${randomBytes(16).toString('hex')}`);
  let text = '';
  for (let i = 0; i < sessionLength; i++) {
    text = digits.charAt(Number(value % 62n)) + text;
    value /= 62n;
  }
  return text;
}

export const newCallId = (): string => `call_${newSession()}`;
export const newFileId = (): string => `file-${newSession()}`;

/** Prefix of an item's id by its type. */
export const itemPrefixes = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fco',
  reasoning: 'rs',
} as const;

export const responseIdOf = (session: string, serial: number): string => `resp_${session}${serial}`;
export const conversationIdOf = (session: string): string => `conv_${session}`;
/** `place` is the serial of what brought the item, and its index in that. */
export const itemIdOf = (type: keyof typeof itemPrefixes, session: string, place: string): string =>
  `${itemPrefixes[type]}_${session}${place}`;
export const itemPlace = (serial: number, index: number): string => `${serial}i${index}`;

/** Below 0 when the first came before the second: a conversation's items are in this order. */
export function comparePlaces(first: string, second: string): number {
  const [[serial = 0, index = 0], [otherSerial = 0, otherIndex = 0]] = [first, second].map((place) =>
    place.split('i').map(Number),
  ) as [number[], number[]];
  return serial - otherSerial || index - otherIndex;
}

const responsePattern = /^resp_([0-9A-Za-z]{22})([1-9]\d{0,8})$/;
const itemPattern = /^(msg|fc|fco|rs)_([0-9A-Za-z]{22})([1-9]\d{0,8})(i\d{1,9})$/;
const sessionPattern = /^[0-9A-Za-z]{22}$/;
const conversationPattern = /^conv_([0-9A-Za-z]{22})$/;

export const isFileId = (id: string): boolean => /^file-[0-9A-Za-z]{22}$/.test(id);
/** Blobs are named by the SHA-256 of their bytes, in hex. */
export const isBlobId = (id: string): boolean => /^[0-9a-f]{64}$/.test(id);

/** Undefined for anything that can't be the id of a response. */
export function parseResponseId(id: string): { session: string; serial: number } | undefined {
  const [, session, serial] = responsePattern.exec(id) ?? [];
  return session === undefined ? undefined : { session, serial: Number(serial) };
}

/** Undefined for anything that can't be the id of an item. */
export function parseItemId(
  id: string,
): { prefix: string; session: string; serial: number; place: string } | undefined {
  const [, prefix, session, serial, index] = itemPattern.exec(id) ?? [];
  if (prefix === undefined || session === undefined) return undefined;
  return { prefix, session, serial: Number(serial), place: `${serial}${index}` };
}

export const isSession = (id: string): boolean => sessionPattern.test(id);

/** The session of a conversation id; undefined for anything that can't be one. */
export function parseConversationId(id: string): string | undefined {
  return conversationPattern.exec(id)?.[1];
}
