import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PeerContender } from '../bench/engine/peerContender.ts';
import { loggedEncodeMs, PeerLog } from '../bench/engine/peerLog.ts';
import { togetherTokensPerSecond } from '../bench/engine/round.ts';
import type { BenchReport } from '../bench/engine/run.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../bench/engine.ts', import.meta.url));

test('the benchmark measures everything on the embedded model', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'afterimage-bench-'));
  try {
    const jsonPath = join(folder, 'report.json');
    const { stdout } = await run(process.execPath, [script, '--quick', '--json', jsonPath]);
    const report: BenchReport = JSON.parse(await readFile(jsonPath, 'utf8'));
    const { ours, environment } = report;
    expect(ours.turns.map(({ turn }) => turn)).toEqual([1, 2, 3]);
    expect(ours.decode.map(({ sequences }) => sequences)).toEqual([1, 2]);
    const figures = [...numbersIn(ours), report.peakResidentBytes];
    expect(figures).toHaveLength(3 + 3 * 5 + 2 * 3 + 1);
    // JSON has null where a figure was NaN or infinite.
    for (const figure of figures) expect(figure).toBeGreaterThan(0);
    // Later turns compute a question each, never the picture again.
    const [first, ...later] = ours.turns.map(({ newTokens }) => newTokens);
    expect(first).toBeGreaterThan((448 / 32) ** 2);
    for (const count of later) expect(count).toBeLessThan(30);
    for (const shown of [environment.commit, environment.cpu, environment.node, report.model.name, 'f16']) {
      expect(stdout).toContain(shown);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('wrong options print what is wrong and the usage', async () => {
  for (const [args, message] of [
    [['--depth', '2'], '--text and --depth go with --model'],
    [['--peer-log', 'x'], '--peer-log goes with --peer'],
    [['--rounds', '0'], '--rounds: a whole number of at least 1 is needed, got 0'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ] as const) {
    await expect(run(process.execPath, [script, ...args])).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(new RegExp(`^${message}[^]*node bench/engine.ts \\[options\\]`)),
    });
  }
});

test("a llama-server's log tells how long its encodes took", async () => {
  // As v0.5.0 writes it.
  const slot =
    '0.59.634.282 I slot process_mtmd: id  6 | task 4 | encoding mtmd batch from idx = 4, n_chunks = 1\n';
  const decoding = '1.00.731.048 I decoding image batch 1/1, n_tokens_batch = 196\n';
  expect(loggedEncodeMs(slot + decoding)).toBeCloseTo(1096.766, 6);
  expect(loggedEncodeMs(slot + decoding + decoding + slot + decoding)).toBeCloseTo(2 * 1096.766, 6);
  expect(loggedEncodeMs(decoding)).toBeUndefined();

  const folder = await mkdtemp(join(tmpdir(), 'afterimage-bench-'));
  try {
    const path = join(folder, 'peer.log');
    await writeFile(path, slot + decoding);
    const log = await PeerLog.follow(path);
    expect(await log.encodeMs()).toBeUndefined();
    await appendFile(path, slot + decoding);
    expect(await log.encodeMs()).toBeCloseTo(1096.766, 6);
    expect(await log.encodeMs()).toBeUndefined();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('speed together counts only while every answer was being decoded', () => {
  // From 100 ms to 300 ms: 200, 300 of the first; 150, 200, 250, 300 of the second.
  const arrivalsMs = [
    [0, 100, 200, 300],
    [100, 150, 200, 250, 300, 350],
  ];
  expect(togetherTokensPerSecond(arrivalsMs)).toBe(30);
  expect(() =>
    togetherTokensPerSecond([
      [0, 1],
      [2, 3],
    ]),
  ).toThrow('never decoded together');
});

test('a peer is asked as stateless clients ask, and its stream is read however it is cut', async () => {
  const bodies: unknown[] = [];
  const delta = (content: string | null) => ({ choices: [{ delta: { content } }] });
  const usage = { prompt_tokens: 20, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 12 } };
  const chunks = [delta(null), delta(' a'), delta(' é'), { choices: [], usage }];
  const stream = Buffer.from(
    `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join('')}data: [DONE]\n\n`,
  );
  const models = { data: [{ id: 'some-model', meta: { n_params: 1000 } }] };
  const server = createServer(async (request, response) => {
    if (request.url === '/base/v1/models') response.end(JSON.stringify(models));
    else if (request.url === '/base/v1/chat/completions') {
      bodies.push(JSON.parse(await text(request)));
      for (const byte of stream) response.write(Uint8Array.of(byte));
      response.end();
    } else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}/base`);
    await expect(PeerContender.connect(url, 7, 999)).rejects.toThrow('1000 parameters instead of 999');
    const peer = await PeerContender.connect(url, 7, 1000);
    const question = { role: 'user', text: 'why' } as const;
    const answer = await peer.ask({ conversation: 'c', messages: [question], answerTokens: 2 });
    expect(answer).toMatchObject({ message: { text: ' a é' }, promptTokens: 20, newTokens: 8 });
    expect(answer.arrivalsMs).toHaveLength(2);
    expect(bodies[0]).toMatchObject({
      model: 'some-model',
      messages: [{ role: 'user', content: 'why' }],
      temperature: 0,
      logit_bias: { 7: 100 },
    });
    const tooShort = peer.ask({ conversation: 'c', messages: [question], answerTokens: 3 });
    await expect(tooShort).rejects.toThrow('was asked for 3 tokens, gave 2 in 2 pieces');
  } finally {
    server.close();
  }
});

function numbersIn(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [value];
}
