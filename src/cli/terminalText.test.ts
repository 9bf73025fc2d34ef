import { expect, test } from 'vitest';
import { terminalLine, terminalText } from './terminalText.ts';

test('a terminal gets text and line ends, but nothing it would obey', () => {
  const text = 'a\tb\n\u001b[31m\u009b2J\u0007\r\0\u007f图片 👩‍👧.png';
  expect(terminalText(text)).toBe('a\tb\n\ufffd[31m\ufffd2J\ufffd\ufffd\ufffd\ufffd图片 👩‍👧.png');
  expect(terminalLine('a\tb\nc')).toBe('a\ufffdb\ufffdc');
});
