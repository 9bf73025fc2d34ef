import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where and on what a measurement was made. */
export interface Environment {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly freeMemoryGiB: number;
  /** Of the last minute, before anything was measured: others' work slows ours. */
  readonly loadAverage: number;
}

export async function environment(): Promise<Environment> {
  return {
    date: new Date().toISOString(),
    commit: await commit(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: totalmem() / 2 ** 30,
    freeMemoryGiB: freemem() / 2 ** 30,
    loadAverage: loadavg()[0] ?? 0,
  };
}

/** The commit, with `dirty` when tracked files differ from it; `unknown` outside a checkout or without git. */
async function commit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> => {
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    return (await promisify(execFile)('git', args, { cwd })).stdout.trim();
  };
  try {
    const changes = await git('status', '--porcelain', '--untracked-files=no');
    return `${await git('rev-parse', 'HEAD')}${changes === '' ? '' : ' dirty'}`;
  } catch (error) {
    const { code } = error as { code?: unknown };
    // git says 128 where there is no repository.
    if (code === 'ENOENT' || code === 128) return 'unknown';
    throw error;
  }
}

/** Most memory a process ever held, from the kernel (proc(5), VmHWM); undefined where there is no such file. */
export async function peakResidentBytes(pid: number): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
  if (kibibytes === undefined) throw new Error(`the status of process ${pid} has no VmHWM`);
  return Number(kibibytes) * 1024;
}
