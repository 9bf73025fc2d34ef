import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GenerateRequest } from '../src/core/request.ts';
import { Engine } from '../src/engine/engine.ts';
import { silentLogger } from './helpers/silentLogger.ts';

let stateFolder: string;
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'engine-resume-'));
});
afterEach(() => rmSync(stateFolder, { recursive: true }));

test('a request that is given up while an engine still looks through its disk is not begun', async () => {
  const engine = await Engine.open({ gpu: 'off', kvCells: 1024, stateFolder }, silentLogger);
  try {
    const leave = new AbortController();
    const messages: GenerateRequest['messages'] = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }];
    const request: GenerateRequest = { tenant: 't', session: 's', messages };
    const options = { signal: leave.signal };
    const both = [engine.generate(request, options).next(), engine.prewarm(request, options)].map((begun) =>
      expect(begun).rejects.toThrow('given up'),
    );
    leave.abort(new Error('given up'));
    await Promise.all(both);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await engine.stats()).toMatchObject({ promptTokens: 0, running: 0, waiting: 0 });
  } finally {
    await engine.dispose();
  }
});
