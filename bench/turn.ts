/** Command line of the benchmark of a turn's own cost. */
import { writeFile } from 'node:fs/promises';
import { turnBenchOptions, UsageError, usage } from './turn/options.ts';
import { runTurnBench } from './turn/run.ts';
import { turnTable } from './turn/table.ts';

try {
  const options = turnBenchOptions(process.argv.slice(2));
  const report = await runTurnBench(options, (line) => console.error(line));
  process.stdout.write(turnTable(report));
  if (options.jsonPath !== undefined)
    await writeFile(options.jsonPath, `${JSON.stringify(report, null, 2)}\n`);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
