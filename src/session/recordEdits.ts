import type { ImageVector } from '../core/imageVector.ts';
import { outputsOfCalls } from './functionCalls.ts';
import { type ItemRuns, indicesOf, joinRuns, runOf, withoutIndex } from './itemRuns.ts';
import { partsOf, type StoredItem } from './items.ts';
import type { ConversationRecord, Intent, PictureRecord, ResponseRecord, SessionRecord } from './record.ts';

/** What can happen to a session, as functions from one record to the next. */

export function newRecord(
  session: string,
  options: { nowMs: number; idleTtlMs: number; conversation: ConversationRecord | null },
): SessionRecord {
  return {
    session,
    createdAtMs: options.nowMs,
    idleTtlMs: options.idleTtlMs,
    version: 0,
    epoch: 0,
    nextSerial: 1,
    conversation: options.conversation,
    responses: [],
    items: [],
    pictures: [],
    intent: null,
    pointers: [],
    lastAppend: null,
  };
}

export function appendItems(
  record: SessionRecord,
  items: readonly StoredItem[],
): { record: SessionRecord; runs: ItemRuns } {
  return {
    record: { ...record, items: [...record.items, ...items] },
    runs: runOf(record.items.length, items.length),
  };
}

/** Uses up the response's serial; `epoch` of the record becomes the intent's. */
export function beginTurn(
  record: SessionRecord,
  { owner, deadlineMs, response }: Omit<Intent, 'epoch'>,
): SessionRecord {
  const epoch = record.epoch + 1;
  const pointers =
    response.pointer === null || record.pointers.includes(response.pointer)
      ? record.pointers
      : [...record.pointers, response.pointer];
  return {
    ...record,
    epoch,
    pointers,
    nextSerial: response.serial + 1,
    intent: { owner, epoch, deadlineMs, response },
  };
}

/** Ends the intent with its finished response, the answer's items and what was learnt of the pictures. */
export function commitTurn(
  record: SessionRecord,
  finished: ResponseRecord,
  answer: readonly StoredItem[],
  vectors: readonly ImageVector[],
): SessionRecord {
  const { record: grown, runs: output } = appendItems(record, answer);
  const { conversation } = record;
  const added = joinRuns(finished.input, output);
  return {
    ...grown,
    version: record.version + 1,
    pictures: record.pictures.map((picture) => withVector(picture, vectors)),
    intent: null,
    responses: [...record.responses, { ...finished, output }],
    conversation:
      conversation && finished.inConversation
        ? { ...conversation, items: joinRuns(conversation.items, added) }
        : conversation,
  };
}

function withVector(picture: PictureRecord, vectors: readonly ImageVector[]): PictureRecord {
  const { digest, width, height } = picture;
  const found = vectors.find((one) => one.digest === digest && one.width === width && one.height === height);
  return found
    ? { ...picture, vector: `${found.space}:${Buffer.from(found.vector).toString('base64')}` }
    : picture;
}

/**
 * Ends the intent without a reply. A background turn was acknowledged when it began, so it stays as what became of it; of any
 * other nothing stays but its used-up serial.
 */
export function abandonTurn(
  record: SessionRecord,
  end: Pick<ResponseRecord, 'status' | 'error' | 'completedAtMs'>,
): SessionRecord {
  const { intent } = record;
  if (!intent) return record;
  const responses = intent.response.background
    ? [...record.responses, { ...intent.response, ...end }]
    : record.responses;
  return collect({ ...record, intent: null, responses });
}

/** The response can't be found any more; what others built on stays. Undefined when nothing of the session would be left. */
export function removeResponse(record: SessionRecord, serial: number): SessionRecord | undefined {
  const responses = record.responses.filter((response) => response.serial !== serial);
  if (responses.length === 0 && !record.conversation) return undefined;
  return collect({ ...record, version: record.version + 1, responses });
}

/** Erases an item of the conversation: no turn will see it again, not even one that branches off from before. */
export function eraseItem(record: SessionRecord, index: number): SessionRecord {
  const { conversation } = record;
  if (!conversation) return record;
  const kept = [...indicesOf(conversation.items)].flatMap((at) => record.items[at] ?? []);
  const erased = record.items[index];
  const [answered] = [...outputsOfCalls(kept)].find(([, output]) => output === erased) ?? [];
  return collect({
    ...record,
    version: record.version + 1,
    items: record.items.map((item, at) => {
      if (at === index) return null;
      return item && item === answered ? { ...item, outputErased: true } : item;
    }),
    conversation: { ...conversation, items: withoutIndex(conversation.items, index) },
  });
}

/** Drops items that no response and no conversation leads to, and pictures that no item shows. */
function collect(record: SessionRecord): SessionRecord {
  const responses = record.intent ? [...record.responses, record.intent.response] : record.responses;
  const roots = responses.flatMap(({ context, input, output }) => [context, input, output]);
  if (record.conversation) roots.push(record.conversation.items);
  if (record.lastAppend) roots.push(record.lastAppend.items);
  const reachable = new Set(roots.flatMap((runs) => [...indicesOf(runs)]));
  const items = record.items.map((item, index) => (reachable.has(index) ? item : null));
  // Only what was erased at the end: an index that something points at must stay taken.
  const highest = Math.max(-1, ...reachable);
  items.length = highest + 1;
  const shown = new Set(items.flatMap((item) => (item ? picturesOf(item) : [])));
  return { ...record, items, pictures: record.pictures.filter(({ number }) => shown.has(number)) };
}

export function picturesOf(item: StoredItem): number[] {
  return partsOf(item).flatMap((part) => (part.type === 'input_image' ? part.picture : []));
}
