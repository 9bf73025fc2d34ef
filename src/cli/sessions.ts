import { z } from 'zod';
import { type ApiFlags, callServer } from './apiClient.ts';
import { drawStateTree, stateNodeShape } from './stateTree.ts';
import { table } from './table.ts';

const sessionShape = z.object({
  id: z.string(),
  conversation_id: z.string().nullable(),
  last_response_id: z.string().nullable(),
  turns: z.int(),
  items: z.int(),
  pictures: z.int(),
  record_bytes: z.int(),
  created_at: z.int(),
  expires_at: z.int(),
  version: z.int(),
});
const detailsShape = sessionShape.extend({
  picture_list: z.array(
    z.object({
      number: z.int(),
      digest: z.string(),
      width: z.int(),
      height: z.int(),
      nearest: z.object({ number: z.int(), cosine: z.number(), likeness: z.string() }).nullable(),
    }),
  ),
  picture_in_question: z.union([z.int(), z.literal('all')]).nullable(),
  state: z.array(stateNodeShape).nullable(),
});
const pageShape = z.object({
  data: z.array(sessionShape),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});
const removedShape = z.object({
  removed: z.object({ items: z.int(), responses: z.int(), pictures: z.int(), bytes_freed: z.int() }),
});

interface OutputFlags extends ApiFlags {
  readonly json?: boolean;
}

/** Most the server gives at once. */
const pageSize = 100;

/** `afterimage sessions list`: all of the key's tenant. */
export async function listSessions(flags: OutputFlags): Promise<void> {
  const all: z.output<typeof sessionShape>[] = [];
  let after = '';
  for (;;) {
    const path = `/v1/sessions?limit=${pageSize}${after && `&after=${encodeURIComponent(after)}`}`;
    const page = await callServer(flags, { method: 'GET', path, reply: pageShape });
    all.push(...page.data);
    if (!page.has_more || page.last_id === null) break;
    after = page.last_id;
  }
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
    return;
  }
  const rows = all.map((one) => [
    one.id,
    String(one.turns),
    String(one.pictures),
    String(one.record_bytes),
    timeOf(one.created_at),
    timeOf(one.expires_at),
  ]);
  process.stdout.write(table([['ID', 'TURNS', 'PICTURES', 'BYTES', 'CREATED', 'EXPIRES'], ...rows]));
}

/** `afterimage sessions show ID`: a session's, conversation's or response's id. */
export async function showSession(id: string, flags: OutputFlags): Promise<void> {
  const reply = await callServer(flags, { method: 'GET', path: pathOf(id), reply: detailsShape });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`);
    return;
  }
  const { picture_list: pictures, state, ...rest } = reply;
  const rows = Object.entries(rest).map(([name, value]) => [
    name,
    name.endsWith('_at') ? timeOf(Number(value)) : String(value ?? 'none'),
  ]);
  const shown = pictures.map(({ number, width, height, nearest }) => [
    `picture ${number}`,
    `${width}x${height}${nearest ? `, to ${nearest.number}: ${nearest.likeness} (${nearest.cosine.toFixed(3)})` : ''}`,
  ]);
  process.stdout.write(table([...rows, ...shown]));
  process.stdout.write(`\n${state === null ? 'The engine does not answer.\n' : drawStateTree(state)}`);
}

/** `afterimage sessions rm ID`: ends it and erases what was made from it. */
export async function removeSession(id: string, flags: ApiFlags): Promise<void> {
  const { removed } = await callServer(flags, { method: 'DELETE', path: pathOf(id), reply: removedShape });
  const { items, responses, pictures, bytes_freed: bytes } = removed;
  process.stdout.write(
    `Removed ${responses} responses, ${items} items, ${pictures} pictures, ${bytes} bytes.\n`,
  );
}

const pathOf = (id: string): string => `/v1/sessions/${encodeURIComponent(id)}`;

const timeOf = (unixSeconds: number): string =>
  new Date(unixSeconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z');
