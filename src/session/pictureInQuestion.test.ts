import { expect, test } from 'vitest';
import { readSamples } from '../../bench/dialogues/samples.ts';
import { type Meant, meantInTalk, pictureInQuestion } from './pictureInQuestion.ts';

/**
 * The sample dialogues with two pictures, by their second one: what each turn from the second picture on means, told by
 * people from answers and pictures. `?`: the answer would be the same for either.
 */
const labels: readonly (readonly [secondPicture: string, meant: readonly (Meant | '?')[]])[] = [
  ['s02b.png', [2, 'all', '?', 1, 1]],
  ['s03b.png', [2, 2, 2]],
  ['s05b.png', [2, 1, 1]],
  ['s07b.png', [2, 2, 2]],
  ['s08b.png', [2, 2, 2, 'all']],
  ['s09b.png', [2, 1, 1]],
  ['s11b.png', [2, 'all', 2]],
  ['s14b.png', [2, 1, 2, 2]],
  ['s17b.png', [2, 2, 1]],
  ['s22b.png', [2, 1, 'all']],
  ['s23b.png', [2, 2, 1]],
];

test('in the sample dialogues with two pictures', () => {
  const samples = readSamples();
  let [right, newest, count] = [0, 0, 0];
  for (const [name, expected] of labels) {
    const { turns } = samples.find((sample) => sample.turns.some(({ image }) => image === name)) ?? {};
    if (!turns) throw new Error(`no sample shows ${name}`);
    let number = 0;
    const meant = meantInTalk(
      turns.map(({ user, image }) => ({ text: user, pictures: image === null ? [] : [++number] })),
    );
    const second = turns.findIndex(({ image }) => image === name);
    for (const [index, label] of expected.entries()) {
      // With its picture there is nothing to guess.
      if (index === 0 || label === '?') continue;
      count++;
      if (label === 2) newest++;
      if (meant[second + index] === label) right++;
      else console.log('missed:', turns[second + index]?.user);
    }
    expect(turns.length - second).toBe(expected.length);
  }
  console.log(`${right} of ${count} follow-ups right; always the newest picture: ${newest}`);
  expect(right / count).toBeGreaterThanOrEqual(0.9);
  expect(right).toBeGreaterThan(newest);
});

test.each<[string, Meant]>([
  ['What is in the first picture?', 1],
  ['And the 2nd one?', 2],
  ['What colour is the last one?', 3],
  ['第二张是什么？', 2],
  ['第一个多少钱？', 1],
  ['Is the first lamp on?', 3],
  ['第一个灯呢？', 3],
  ['Are they in stock?', 'all'],
  ['它们颜色一样吗？', 'all'],
  ['What does it cost?', 3],
  ['Are they both there? And the third one?', 3],
])('%s', (question, meant) => {
  expect(pictureInQuestion(question, [1, 2, 3], 3)).toBe(meant);
});

test('the other one is clear with two pictures only', () => {
  expect(pictureInQuestion('What about the other one?', [4, 7], 7)).toBe(4);
  expect(pictureInQuestion('另一个呢？', [4, 7], 4)).toBe(7);
  expect(pictureInQuestion('What about the other one?', [4, 7, 8], 8)).toBe(8);
  expect(pictureInQuestion('What does another cost?', [4, 7], 7)).toBe(7);
});

test('without a picture nothing is meant; one that comes is meant, several are all', () => {
  const talk = [
    { text: 'Hello.', pictures: [] },
    { text: 'Is this the first?', pictures: [1] },
    { text: 'And both of these?', pictures: [2, 3] },
    { text: 'How big is it?', pictures: [] },
  ];
  expect(meantInTalk(talk)).toEqual([null, 1, 'all', 3]);
});
