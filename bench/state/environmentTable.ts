import { table } from '../../src/cli/table.ts';
import type { Environment } from '../engine/environment.ts';

/** Where something was measured, as people read it. */
export function environmentTable(where: Environment): string {
  return table([
    ['Date', where.date],
    ['Commit', where.commit],
    ['Machine', `${where.cpu}, ${where.cores} cores, ${where.platform}`],
    ['Memory', `${where.freeMemoryGiB.toFixed(1)} of ${where.memoryGiB.toFixed(1)} GiB free`],
    ['Load', `${where.loadAverage.toFixed(2)} before the start`],
    ['Node', where.node],
  ]);
}
