import { pbkdf2 } from 'node:crypto';
import { serveOverIpc } from '../../src/engine/ipc/serve.ts';
import { fromWireError, type WireError } from '../../src/engine/ipc/wireError.ts';
import type { ScriptedAnswer } from '../../src/inference/scriptedAnswer.ts';
import { ScriptedEngine } from '../../src/inference/scriptedEngine.ts';

export interface ScriptedChildConfig {
  readonly maxRunning?: number;
  readonly failToStart?: WireError;
  readonly dieOnStart?: boolean;
  /** Keeps a thread busy as a native call would: the process can't exit politely while it runs. */
  readonly busyThread?: boolean;
}

/** Runs the scripted engine as a child process. A text that is a JSON object is the answer to its own request. */
serveOverIpc((untypedConfig, logger) => {
  const config = untypedConfig as ScriptedChildConfig;
  if (config.dieOnStart) endProcess();
  if (config.failToStart) throw fromWireError(config.failToStart);
  if (config.busyThread) pbkdf2('p', 's', 2 ** 31 - 1, 64, 'sha512', () => {});
  logger.info({ threads: process.env.UV_THREADPOOL_SIZE ?? 'default' }, 'scripted child: open');
  return new ScriptedEngine({
    maxRunning: config.maxRunning,
    crash: endProcess,
    script: ({ messages }): ScriptedAnswer | undefined => {
      const part = messages.at(-1)?.content.findLast(({ type }) => type === 'text');
      return part?.type === 'text' && part.text.startsWith('{') ? JSON.parse(part.text) : undefined;
    },
  });
});

function endProcess(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable: SIGKILL ends this process');
}
