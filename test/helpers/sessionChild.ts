import { writeSync } from 'node:fs';
import { ScriptedEngine } from '../../src/inference/scriptedEngine.ts';
import { SessionManager } from '../../src/session/sessionManager.ts';
import type { failpoints } from '../../src/session/turnParts.ts';
import type { TurnRequest } from '../../src/session/turnRequest.ts';
import { openStore } from '../../src/store/openStore.ts';
import { HashIntake, say, uploadKey } from './sessions.ts';

export interface SessionChildTask {
  readonly folder: string;
  /** Ends this process at that step of its last request. */
  readonly killAt?: (typeof failpoints)[number];
  readonly requests?: readonly TurnRequest[];
  /** Turns without end on so many conversations at once. */
  readonly load?: number;
}

/** Started by tests, which kill it: prints the last event of every turn as a line of JSON, once the turn is acknowledged. */
const task = JSON.parse(process.argv[2] ?? '') as SessionChildTask;
let armed = false;
const manager = new SessionManager({
  store: await openStore(task.folder),
  engine: new ScriptedEngine(),
  intake: new HashIntake(),
  uploadKey,
  onProblem: (error) => {
    throw error;
  },
  failpoint: (name) => {
    if (!armed || name !== task.killAt) return;
    // Not at once: whatever the turn has let out by now gets the time to be read and printed.
    setImmediate(() => process.kill(process.pid, 'SIGKILL'));
    return new Promise<void>(() => {});
  },
});
manager.start();

const run = async (request: TurnRequest): Promise<void> => {
  for await (const event of manager.respond('acme', request)) {
    if (event.type === 'finished') writeSync(1, `${JSON.stringify(event)}\n`);
  }
};

for (const [index, request] of (task.requests ?? []).entries()) {
  armed = index === (task.requests?.length ?? 0) - 1;
  await run(request);
}
await Promise.all(
  Array.from({ length: task.load ?? 0 }, async () => {
    const { id } = await manager.conversations.create('acme', {});
    for (let n = 0; ; n++) await run({ input: say(`${id} ${n}`), conversationId: id });
  }),
);
