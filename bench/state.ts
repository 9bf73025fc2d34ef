/** Command line of the benchmark of what is remembered: tiers, baselines, many sessions. */
import { writeFile } from 'node:fs/promises';
import { newPicture } from '../src/cli/bench/state.ts';
import { measureTiers } from '../src/cli/bench/tiers.ts';
import { tierTable } from '../src/cli/bench/tierTable.ts';
import { environment } from './engine/environment.ts';
import { openSubject } from './engine/subject.ts';
import { baselineTable, runBaselines } from './state/baselines.ts';
import { environmentTable } from './state/environmentTable.ts';
import { stateBenchOptions, UsageError, usage } from './state/options.ts';
import { runSoak, soakTable } from './state/soak.ts';

const say = (line: string): void => console.error(line);

try {
  const options = stateBenchOptions(process.argv.slice(2));
  const where = await environment();
  process.stdout.write(environmentTable(where));
  const report: Record<string, unknown> = { environment: where };
  if (options.parts.includes('tiers')) {
    const subject = await openSubject(options.model);
    const { model, mmproj } = subject.paths;
    const config = { ...(model !== undefined && { model }), ...(mmproj !== undefined && { mmproj }) };
    const plan = { turns: options.turns, rounds: options.rounds, promptTokens: 700, answerTokens: 8 };
    const tiers = await measureTiers(config, plan, newPicture, say);
    process.stdout.write(
      `\n${subject.name}${subject.remark ? ` (${subject.remark})` : ''}, a 448x448 picture, ${plan.rounds} rounds\n`,
    );
    process.stdout.write(tierTable(tiers.figures));
    report.tiers = tiers;
  }
  if (options.parts.includes('baselines')) {
    const baselines = await runBaselines(say);
    process.stdout.write(`\n${baselineTable(baselines)}`);
    report.baselines = baselines;
  }
  if (options.parts.includes('soak')) {
    const soak = await runSoak({ sessions: options.sessions }, say);
    process.stdout.write(`\n${soakTable(soak)}`);
    report.soak = soak;
  }
  if (options.jsonPath !== undefined)
    await writeFile(options.jsonPath, `${JSON.stringify(report, null, 2)}\n`);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
