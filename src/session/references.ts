import { itemPrefixes, parseItemId } from './ids.ts';
import type { StoredItem } from './items.ts';
import { notFound } from './notFound.ts';
import type { SessionRecord } from './record.ts';
import type { SessionStore } from './sessionStore.ts';

/**
 * The committed item with this id, in `own` or any other session of the tenant.
 * @throws not_found, the same for what never was, was erased or is somebody else's; session_expired
 */
export async function findItem(
  tenant: string,
  id: string,
  own: SessionRecord,
  sessions: SessionStore,
): Promise<{ item: StoredItem; record: SessionRecord }> {
  const parsed = parseItemId(id);
  if (!parsed) throw notFound('item', id);
  const { prefix, session, serial, place } = parsed;
  const record = own.session === session ? own : (await sessions.get(tenant, session, 'item', id)).record;
  const item = record.items.find((candidate) => candidate?.place === place);
  // Input of a turn that runs can still come to nothing.
  const isCommitted = record.intent?.response.serial !== serial;
  if (!item || !isCommitted || itemPrefixes[item.type] !== prefix) throw notFound('item', id);
  return { item, record };
}
