/** What a question is about, of several pictures: one of them by its number, or all. */
export type Meant = number | 'all';

/** How a place in a row is said, each with its index; negative ones count from the end. */
const ordinals: readonly (readonly [RegExp, number])[] = [
  [/\b(first|1st)\b|第[一1]/i, 0],
  [/\b(second|2nd)\b|第[二2]/i, 1],
  [/\b(third|3rd)\b|第[三3]/i, 2],
  [/\b(last|latest)\b|最后一?[个张]/i, -1],
];
/** It counts pictures unless a thing follows that is counted: "第一个灯", "the second lamp". */
const thingsInChinese = /第.个(?!呢|是|什么|多|有|的|$|[，,？?。])/;
const thingsInEnglish =
  /\b(first|1st|second|2nd|third|3rd|last|latest)\s+(?!one\b|picture\b|image\b|photo\b|is\b|does\b|has\b)[a-z]+/i;
const all = /\b(they|them|both|two)\b|它们|他们|两个|两张/i;
const other = /\bthe other\b|另一?[个张]/i;

/**
 * Which picture a question means, by its words in English or Chinese; what they don't say is taken from `focus`, the picture
 * the talk was about last. It only tells: no prompt and no answer depends on it.
 * @param pictures numbers in the order they came, with `focus` among them
 */
export function pictureInQuestion(question: string, pictures: readonly number[], focus: number): Meant {
  if (!thingsInChinese.test(question) && !thingsInEnglish.test(question)) {
    for (const [words, index] of ordinals) {
      const picture = pictures.at(index);
      if (picture !== undefined && words.test(question)) return picture;
    }
  }
  if (pictures.length > 1 && all.test(question)) return 'all';
  const others = pictures.filter((number) => number !== focus);
  return others.length === 1 && other.test(question) ? (others[0] as number) : focus;
}

/** A user's message: its words, and the numbers of the pictures that came with it. */
export interface Question {
  readonly text: string;
  readonly pictures: readonly number[];
}

/** What each question of a talk means; null before there is a picture. One that brings a picture is about that. */
export function meantInTalk(questions: readonly Question[]): (Meant | null)[] {
  const shown = new Set<number>();
  let focus: number | undefined;
  return questions.map(({ text, pictures }) => {
    for (const number of pictures) shown.add(number);
    const brought = pictures.at(-1);
    if (pictures.length > 1) {
      focus = brought;
      return 'all';
    }
    if (brought === undefined && focus === undefined) return null;
    const meant = brought ?? pictureInQuestion(text, [...shown], focus as number);
    if (meant !== 'all') focus = meant;
    return meant;
  });
}
