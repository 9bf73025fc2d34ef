import { EngineProcess } from '../../src/inference/engineProcess.ts';
import { silentLogger } from './silentLogger.ts';

/** Started by a test, which kills it: prints the id of its engine process once that is ready, then waits. */
const engine = new EngineProcess({
  entry: new URL('./scriptedChild.ts', import.meta.url),
  config: { busyThread: true },
  logger: silentLogger,
});
await engine.ready();
process.stdout.write(`${engine.pid}\n`);
