import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { TurnBenchReport } from '../bench/turn/run.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../bench/turn.ts', import.meta.url));

test("the benchmark of a turn's own cost measures every kind, and leaves nothing behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'afterimage-bench-'));
  try {
    const jsonPath = join(folder, 'report.json');
    const { stdout } = await run(process.execPath, [
      script,
      '--quick',
      '--folder',
      folder,
      '--json',
      jsonPath,
    ]);
    expect(await readdir(folder)).toEqual(['report.json']);
    const report: TurnBenchReport = JSON.parse(await readFile(jsonPath, 'utf8'));
    expect(report.turns.map(({ turn }) => turn)).toEqual([1, 2, 1, 2, 1, 2, 1, 2]);
    for (const { medianMs, p99Ms } of [report.rawCommit, report.emptyRequest, ...report.turns]) {
      expect(medianMs).toBeGreaterThan(0);
      expect(p99Ms).toBeGreaterThanOrEqual(medianMs);
    }
    // A turn answers a request and commits twice.
    for (const { medianMs } of report.turns) expect(medianMs).toBeGreaterThan(report.rawCommit.medianMs);
    for (const shown of [
      report.environment.commit,
      report.environment.cpu,
      'Each earlier turn of a session',
    ]) {
      expect(stdout).toContain(shown);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  [['--rounds', '0'], '--rounds: a whole number of at least 1 is needed, got 0'],
  [['--nonsense'], "Unknown option '--nonsense'"],
])('%j is refused', async (args, message) => {
  await expect(run(process.execPath, [script, ...args])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(new RegExp(`^${message}[^]*node bench/turn.ts \\[options\\]`)),
  });
});
