import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  conversationIdOf,
  isBlobId,
  isFileId,
  itemIdOf,
  itemPlace,
  newFileId,
  newSession,
  parseConversationId,
  parseResponseId,
  responseIdOf,
} from './ids.ts';

test('ids are read back as what they were made of', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), (serial) => {
      const session = newSession();
      expect(session).toMatch(/^[0-9A-Za-z]{22}$/);
      expect(parseResponseId(responseIdOf(session, serial))).toEqual({ session, serial });
      expect(parseConversationId(conversationIdOf(session))).toBe(session);
      expect(itemIdOf('message', session, itemPlace(serial, 2))).toBe(`msg_${session}${serial}i2`);
      expect(isFileId(newFileId())).toBe(true);
    }),
  );
});

test('anything else is no id', () => {
  const session = newSession();
  const wrong = [
    '',
    session,
    `resp_${session}`,
    `resp_${session}0`,
    `resp_${session}01`,
    `resp_${session}1 `,
  ];
  for (const id of [...wrong, `resp_${session}-1`, `resp_${session}1234567890`, `conv_${session}`]) {
    expect(parseResponseId(id), id).toBeUndefined();
  }
  for (const id of [
    '',
    `conv_${session}1`,
    `conv_${session.slice(1)}`,
    `conv_${session}\n`,
    `resp_${session}1`,
  ]) {
    expect(parseConversationId(id), id).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.string(), (id) => parseResponseId(id) === undefined && !isFileId(id) && !isBlobId(id)),
  );
});
