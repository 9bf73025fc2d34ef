import { afterEach, expect } from 'vitest';
import { openSessions } from './sessions.ts';

/** Opens fixtures that are closed after the test, which must not have had problems that no caller was told of. */
export function fixtures(): typeof openSessions {
  const open: { close(): Promise<void>; problems: unknown[] }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) {
      await one.close();
      expect(one.problems).toEqual([]);
    }
  });
  return async (...options) => {
    const made = await openSessions(...options);
    open.push(made);
    return made;
  };
}
