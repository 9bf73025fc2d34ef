import { failure } from '../core/errors.ts';
import { type Failpoint, failpoints } from '../session/turnParts.ts';

/**
 * For tests of what survives: `AFTERIMAGE_FAILPOINT=committed:2` ends this process, as a power cut would, when a turn
 * reaches that step for the second time.
 * @throws invalid_parameter for a step there isn't, and with an engine that computes for somebody
 */
export function failpointOf(given: string | undefined, engine: 'native' | 'scripted'): Failpoint | undefined {
  if (given === undefined) return undefined;
  const wrong = (problem: string) => failure('invalid_parameter', { param: 'AFTERIMAGE_FAILPOINT', problem });
  if (engine !== 'scripted') throw wrong('is for the scripted engine only');
  const [, step, time] = /^([a-z-]+):([1-9]\d*)$/.exec(given) ?? [];
  if (!failpoints.some((known) => known === step)) {
    throw wrong(`must be <step>:<n> with a step of ${failpoints.join(', ')}, got ${JSON.stringify(given)}`);
  }
  let times = 0;
  return (name) => {
    if (name !== step || ++times !== Number(time)) return;
    process.kill(process.pid, 'SIGKILL');
    return new Promise<void>(() => {});
  };
}
