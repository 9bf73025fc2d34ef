import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { cpuBackend } from '../../../test/helpers/cpuBackend.ts';
import { resolveModelPair } from '../../models/pair.ts';
import type { Logger } from '../ipc/logger.ts';
import * as matmulCodes from './kernel/matmulCode.ts';
import { kernelsFor } from './kernel/matmulKernel.ts';
import { loadEncoder } from './loadEncoder.ts';

const { native, backend } = await cpuBackend();
const pair = await resolveModelPair();
const stateFolder = mkdtempSync(join(tmpdir(), 'load-encoder-'));
afterAll(() => rmSync(stateFolder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

async function load(): Promise<{ kernels: readonly string[]; warnings: unknown[] }> {
  const warn = vi.fn();
  const logger = { info: () => {}, warn, error: () => {} } as unknown as Logger;
  const encoder = await loadEncoder(
    native,
    backend,
    pair,
    { visionWeightType: undefined, stateFolder },
    logger,
  );
  const { kernels } = encoder;
  encoder.dispose();
  return { kernels, warnings: warn.mock.calls.map(([fields]) => fields) };
}

test('a start without kernels goes on with the library, says so, and chooses for itself alone', async () => {
  vi.spyOn(matmulCodes, 'matmulCode').mockReturnValue(new Uint8Array(0));
  const { kernels, warnings } = await load();
  expect(kernels).toEqual([]);
  const problems = kernelsFor(native.systemInfo).map(({ name }) =>
    expect.stringMatching(`^${name}: .*no memory`),
  );
  expect(warnings).toEqual([{ problems }]);
  expect(readdirSync(stateFolder)).toEqual([]);
  vi.restoreAllMocks();

  const next = await load();
  expect(next.kernels).toHaveLength(1);
  expect(kernelsFor(native.systemInfo).map(({ name }) => name)).toContain(next.kernels[0]);
  expect(next.warnings).toEqual([]);
  expect(readdirSync(stateFolder)).toHaveLength(1);
});
