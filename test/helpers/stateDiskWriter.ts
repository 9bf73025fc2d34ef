/**
 * Writes and forgets in a folder (argv[2]) until it is killed, and says what has resolved: `write <session> <id>`,
 * `forget <session>`. `test/state-disk-crash.test.ts` kills it and looks.
 */
import { writeSync } from 'node:fs';
import { bytesOf, openStateDisk as openDisk, snapshotOf } from './stateDisks.ts';

const disk = await openDisk(process.argv[2] as string);
const round = process.argv[3] as string;
const say = (line: string): number => writeSync(1, `${line}\n`);
say('open');
for (let n = 0; ; n++) {
  const session = `${round}-${n}`;
  const first = await disk.write(snapshotOf(session), bytesOf(1 + ((n * 7919) % 300_000)));
  say(`write ${session} ${first.id}`);
  if (n % 3 === 1) {
    await disk.forget('acme', session);
    say(`forget ${session}`);
  }
}
