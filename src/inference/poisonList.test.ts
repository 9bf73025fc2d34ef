import { describe, expect, test } from 'vitest';
import { PoisonList } from './poisonList.ts';

function kill(list: PoisonList, digest: string, times: number): void {
  for (let time = 0; time < times; time++) list.engineDiedWith(digest);
}

describe('PoisonList', () => {
  test('refuses after three deaths, and only that request', () => {
    const list = new PoisonList();
    kill(list, 'bad', 2);
    list.check('bad');
    kill(list, 'bad', 1);
    expect(() => list.check('bad')).toThrow(
      expect.objectContaining({ code: 'poison_request', details: { kills: 3 } }),
    );
    list.check('good');
  });

  test('a success clears the count', () => {
    const list = new PoisonList();
    kill(list, 'unlucky', 2);
    list.succeeded('unlucky');
    kill(list, 'unlucky', 2);
    list.check('unlucky');
  });

  test('1,000 newer ones push the oldest out; another death makes it new again', () => {
    const list = new PoisonList();
    kill(list, 'old', 3);
    kill(list, 'renewed', 2);
    for (let index = 0; index < 998; index++) kill(list, `newer ${index}`, 1);
    expect(() => list.check('old')).toThrow();
    kill(list, 'renewed', 1);
    kill(list, 'one more', 1);
    list.check('old');
    expect(() => list.check('renewed')).toThrow();
  });
});
