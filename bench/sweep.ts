/**
 * Command line of what it takes to end many sessions that expire at once, each with a picture of its own, on the scripted engine.
 * `--sessions N`, default 2,000.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { table } from '../src/cli/table.ts';
import { systemClock } from '../src/core/clock.ts';
import { ScriptedEngine } from '../src/inference/scriptedEngine.ts';
import { pictureIntake } from '../src/server/pictureIntake.ts';
import { SessionManager } from '../src/session/sessionManager.ts';
import { openStore } from '../src/store/openStore.ts';
import { environment } from './engine/environment.ts';
import { environmentTable } from './state/environmentTable.ts';
import { timed } from './turn/spread.ts';

const tenant = 'bench';
const lifeMs = 60 * 60_000;
const { values } = parseArgs({ options: { sessions: { type: 'string', default: '2000' } } });
const count = Number(values.sessions);
process.stdout.write(environmentTable(await environment()));

const folder = await mkdtemp(join(tmpdir(), 'afterimage-bench-'));
const store = await openStore(join(folder, 'store'));
let passedMs = 0;
const manager = new SessionManager({
  store,
  engine: new ScriptedEngine(),
  intake: pictureIntake,
  uploadKey: randomBytes(32),
  clock: {
    wallMs: () => systemClock.wallMs() + passedMs,
    monotonicMs: () => systemClock.monotonicMs() + passedMs,
  },
  config: { idleTtlMs: lifeMs },
  onProblem: (error) => {
    throw error;
  },
});

const noise = { width: 64, height: 64, channels: 3 } as const;
for (let n = 0; n < count; n++) {
  const png = await sharp(randomBytes(64 * 64 * 3), { raw: noise })
    .png()
    .toBuffer();
  const { blobId } = await manager.files.putPicture(tenant, png);
  const content = [{ type: 'input_image', blobId } as const, { type: 'input_text', text: 'a' } as const];
  const turn = manager.respond(tenant, { input: [{ type: 'message', role: 'user', content }] });
  for await (const _ of turn);
  if (n % 500 === 0) console.error(`${n} of ${count} sessions`);
}
passedMs = lifeMs;
const ms = await timed(() => manager.sweep());
const { sessions, blobBytes } = await manager.stats();
process.stdout.write(
  `\n${table([
    ['Sessions that expired at once', String(count)],
    ['Gone, with their pictures, after', `${(ms / 1000).toFixed(1)} s`],
    ['Left', `${sessions} sessions, ${blobBytes.upload ?? 0} bytes of pictures`],
  ])}`,
);
await manager.stop(0);
await store.close();
await rm(folder, { recursive: true });
