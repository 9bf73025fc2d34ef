import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteTokenizer } from '../../../test/helpers/byteTokenizer.ts';
import type { ToolCall } from '../../core/tools.ts';
import { OutputText } from './outputText.ts';
import { ToolCallScanner } from './toolCallScanner.ts';

const toolNames = ['look', 'count'];

function scan(pieces: readonly string[]) {
  const scanner = new ToolCallScanner(toolNames);
  return [...pieces.flatMap((piece) => scanner.push(piece)), ...scanner.flush({ atLimit: false })];
}

/** An answer as it leaves the engine; its text comes in tokens of a byte or two. */
function answer(text: string, stop: string[] = [], stopAfterCall = false, atLimit = false) {
  const output = new OutputText(byteTokenizer, stop, { toolNames, stopAfterCall });
  let deltas = '';
  for (const token of byteTokenizer.encodePlain(text)) {
    const { delta, stopped } = output.push(token);
    deltas += delta;
    if (stopped) break;
  }
  deltas += output.finish({ atLimit }).delta;
  const result = output.result();
  expect(deltas).toBe(result.text);
  const bytes = Buffer.concat(result.tokens.map((token) => byteTokenizer.bytesOf(token)));
  return { text: result.text, calls: result.toolCalls, kept: bytes.toString() };
}

const written = (name: string, given: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${given}}\n</tool_call>`;
const look: ToolCall = { name: 'look', arguments: '{"at": "a } b", "n": [1, {"x": 2}]}' };
const count: ToolCall = { name: 'count', arguments: '{}' };
const lookText = written(look.name, look.arguments);
const countText = written(count.name, count.arguments);

test('pieces joined are the answer, however it is cut', () => {
  const part = fc.oneof(
    fc.constantFrom('<tool_call>', '</tool_call>', lookText, countText, '<tool', '{', '}', '"', '\n', '\\'),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(200), { maxLength: 6 }), (parts, cuts) => {
      const text = parts.join('');
      const borders = [
        0,
        ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b),
        text.length,
      ];
      const cutUp = borders.slice(1).map((end, index) => text.slice(borders[index], end));
      const pieces = scan(cutUp);
      expect(pieces.map(({ raw }) => raw).join('')).toBe(text);
      const calls = (found: typeof pieces) =>
        found.flatMap((piece) => (piece.kind === 'call' ? piece.call : []));
      expect(calls(pieces)).toEqual(calls(scan([text])));
      const whole = parts.flatMap((one) => (one === lookText ? look : one === countText ? count : []));
      if (parts.every((one) => one === lookText || one === countText || one === '\n')) {
        expect(calls(pieces)).toEqual(whole);
      }
    }),
    { numRuns: 1000 },
  );
});

test('text before calls streams, and loses the white space at its end', () => {
  const { text, calls, kept } = answer(`Let me see.\n${lookText}\n${countText}\n`);
  expect(text).toBe('Let me see.');
  expect(calls).toEqual([look, count]);
  expect(kept).toBe(`Let me see.\n${lookText}\n${countText}\n`);
});

test('arguments are given as they were written', () => {
  const given = '{ "a":1.50,\n "b" : "\\u00e9" }';
  const { calls } = answer(`<tool_call>{"arguments": ${given}, "name": "look"}</tool_call>`);
  expect(calls).toEqual([{ name: 'look', arguments: given }]);
});

test.each([
  ['JSON that is wrong', '<tool_call>\n{"name": look}\n</tool_call>'],
  ['JSON that is cut off', '<tool_call>\n{"name": "look", "argum'],
  ['a tool nobody offered', written('smell', '{}')],
  ['arguments that are no object', written('look', '[1]')],
  ['no object at all', '<tool_call> look </tool_call>'],
  ['more than an object', '<tool_call>{"name": "look"} now</tool_call>'],
  ['half a beginning', 'a <tool_c'],
])('%s is text', (_what, text) => {
  expect(answer(text)).toEqual({ text, calls: [], kept: text });
});

test('a call that the limit of the answer cut off is no text, wherever it was cut', () => {
  const before = 'I look. ';
  const whole = before + lookText;
  const jsonEnd = whole.indexOf('}}') + 2;
  for (let length = before.length; length <= whole.length; length++) {
    const found = answer(whole.slice(0, length), [], false, true);
    const mark = whole.slice(before.length, length);
    // Less of it may be anything.
    if (mark.length < '<tool'.length) expect(found).toMatchObject({ text: before + mark, calls: [] });
    else if (length < jsonEnd) expect(found).toEqual({ text: before, calls: [], kept: before });
    else expect(found).toMatchObject({ text: 'I look.', calls: [look] });
  }
});

test('a call behind one that is none is found', () => {
  expect(answer(`<tool_call> or ${countText}`)).toMatchObject({ text: '<tool_call> or', calls: [count] });
});

test('the last call may lack its end', () => {
  const text = lookText.slice(0, -'all>'.length);
  expect(answer(text)).toEqual({ text: '', calls: [look], kept: text });
});

test('ends behind the first call when there may be but one', () => {
  // Tokens of two equal letters reach over the end of the call.
  expect(answer(`${lookText}>>${countText}`, [], true)).toEqual({ text: '', calls: [look], kept: lookText });
});

test('stop strings count in the text, not in calls', () => {
  expect(answer(`a ${lookText} b stop c`, ['stop', 'at'])).toEqual({
    text: 'a b',
    calls: [look],
    kept: `a ${lookText} b `,
  });
  expect(answer('a  stop', ['stop'])).toEqual({ text: 'a  ', calls: [], kept: 'a  ' });
  expect(answer(`a<tool_call> stop`, ['<tool_call>'])).toEqual({ text: 'a', calls: [], kept: 'a' });
});

test('without tools nothing is held back', () => {
  const output = new OutputText(byteTokenizer, []);
  const deltas = byteTokenizer.encodePlain('a <to').map((token) => output.push(token).delta);
  expect(deltas.join('')).toBe('a <to');
});
