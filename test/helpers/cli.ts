import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the command line as a user would, with `input` piped in. `signalAtOutput` sends SIGINT when stdout first speaks; `stdout`
 * is an open file that takes its place.
 */
export function runCli(
  args: readonly string[],
  {
    input = '',
    signalAtOutput = false,
    stdout: stdoutFile,
  }: { input?: string; signalAtOutput?: boolean; stdout?: number } = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...args], {
      stdio: ['pipe', stdoutFile ?? 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (data) => {
      if (signalAtOutput && stdout === '') child.kill('SIGINT');
      stdout += data;
    });
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin?.on('error', () => {}); // It may end before it has read everything.
    child.stdin?.end(input);
  });
}
