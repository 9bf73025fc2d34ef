import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { failure } from '../../../core/errors.ts';

/** arch_prctl(2) on x86-64, and of the kernel's Documentation/arch/x86/xstate.rst what asks for the tile registers. */
const archPrctl = 158;
const requestPermission = 0x1023;
const tileData = 18;

let isAllowed = false;

/**
 * Asks Linux for the matrix registers of AMX, for every thread of this process; without them its instructions end the process.
 * @throws engine_failed when this CPU or the system has none
 */
export function allowTiles(): void {
  if (isAllowed) return;
  if (!/^flags\s*:.*\bamx_bf16\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) {
    throw failure('engine_failed', { reason: 'the CPU has no AMX_BF16' });
  }
  const syscall = koffi.load(null).func('syscall', 'long', ['long', 'long', 'long']);
  if (syscall(archPrctl, requestPermission, tileData) !== 0) {
    const reason = `the system does not let this process use AMX (errno ${koffi.errno()})`;
    throw failure('engine_failed', { reason });
  }
  isAllowed = true;
}
