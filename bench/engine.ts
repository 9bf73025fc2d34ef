/** Command line of the engine benchmark. */
import { writeFile } from 'node:fs/promises';
import { AfterimageError, errorTable } from '../src/core/errors.ts';
import { benchOptions, UsageError, usage } from './engine/options.ts';
import { runBench } from './engine/run.ts';
import { table } from './engine/table.ts';

try {
  const options = benchOptions(process.argv.slice(2));
  const report = await runBench(options, (line) => console.error(line));
  process.stdout.write(table(report));
  if (options.jsonPath !== undefined)
    await writeFile(options.jsonPath, `${JSON.stringify(report, null, 2)}\n`);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  } else if (error instanceof AfterimageError) {
    console.error(error.message);
    process.exitCode = errorTable[error.code].exit;
  } else throw error;
}
