import fc from 'fast-check';
import type { ChatMessage, ContentPart } from '../../src/core/request.ts';

/** Text as users write it to break things: any Unicode, special spellings whole, halved and doubled, sentinel-like. */
export function unruly(spellings: Iterable<string>): fc.Arbitrary<string> {
  const spelling = fc.constantFrom(...spellings);
  return fc
    .array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 6 }),
        fc.string({
          unit: fc.constantFrom('a', 'ü', '\n', ' ', '<', '|', '>', '\ue000', '0', '1'),
          maxLength: 6,
        }),
        spelling,
        fc.tuple(spelling, fc.nat(12)).map(([text, at]) => text.slice(0, at)),
        fc.tuple(spelling, fc.nat(12)).map(([text, at]) => text.slice(at)),
      ),
      { maxLength: 6 },
    )
    .map((pieces) => pieces.join(''));
}

/** Text that spells no special token, nor could beside other text. */
export const plainText = fc
  .string({ unit: 'binary', maxLength: 20 })
  .map((text) => text.replaceAll(/[<>|]/g, '\n'));

export const picture: fc.Arbitrary<ContentPart> = fc
  .record({
    digest: fc.constantFrom('sha256:a', 'sha256:b'),
    columns: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ digest, columns, rows }) => ({
    type: 'image',
    image: {
      digest,
      width: columns * 32,
      height: rows * 32,
      pixels: () => Promise.reject(new Error('the renderer has no use for pixels')),
    },
  }));

export interface Turn {
  readonly user: ChatMessage;
  readonly answer: ChatMessage & { readonly tokens: readonly number[] };
}

/** A conversation as it grows: an optional system message, then turns whose answers are committed tokens. */
export function conversations(
  text: fc.Arbitrary<string>,
  token: fc.Arbitrary<number>,
): fc.Arbitrary<{ system: ChatMessage[]; turns: Turn[] }> {
  const textPart = text.map((value): ContentPart => ({ type: 'text', text: value }));
  const turn = fc
    .record({
      content: fc.array(fc.oneof(textPart, picture), { minLength: 1, maxLength: 4 }),
      answer: textPart,
      tokens: fc.array(token, { maxLength: 8 }),
    })
    .map(
      ({ content, answer, tokens }): Turn => ({
        user: { role: 'user', content },
        answer: { role: 'assistant', content: [answer], tokens },
      }),
    );
  return fc.record({
    system: fc.array(
      textPart.map((part): ChatMessage => ({ role: 'system', content: [part] })),
      { maxLength: 1 },
    ),
    turns: fc.array(turn, { minLength: 2, maxLength: 4 }),
  });
}

export function flatten(turns: readonly Turn[]): ChatMessage[] {
  return turns.flatMap(({ user, answer }) => [user, answer]);
}
