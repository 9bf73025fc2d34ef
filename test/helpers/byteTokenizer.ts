import type { Tokenizer } from '../../src/engine/prompt/tokenizer.ts';

const controlTokens = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|vision_start|>',
  '<|vision_end|>',
  '<|image_pad|>',
];
const userDefinedTokens = ['<think>', '</think>', '<tool_call>'];
const firstByteToken = 100;
const firstPairToken = 400;

/**
 * A vocabulary small enough to see through: a token per byte, and one per pair of equal bytes, merged from the left, so
 * that tokens depend on what stands beside them. Like the native one it knows user-defined spellings in plain text.
 */
export const byteTokenizer: Tokenizer = {
  specials: new Map([...controlTokens, ...userDefinedTokens].map((spelling, id) => [spelling, id])),

  encodePlain(text) {
    return text.split(/(<\/?think>|<tool_call>)/).flatMap((part, index) => {
      if (index % 2 === 1) return byteTokenizer.specials.get(part) as number;
      return encodeBytes(Buffer.from(part, 'utf8'));
    });
  },

  bytesOf(token) {
    if (token >= firstPairToken) return Uint8Array.of(token - firstPairToken, token - firstPairToken);
    if (token >= firstByteToken) return Uint8Array.of(token - firstByteToken);
    const userDefined = userDefinedTokens[token - controlTokens.length];
    return Buffer.from(userDefined ?? '', 'utf8');
  },

  isEndOfGeneration: (token) => token === 0 || token === 2,
};

function encodeBytes(bytes: Uint8Array): number[] {
  const tokens: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    const isPair = bytes[i + 1] === byte;
    tokens.push((isPair ? firstPairToken : firstByteToken) + byte);
    if (isPair) i++;
  }
  return tokens;
}

/** Any token a model with this vocabulary could sample. */
export const byteTokenizerSize = firstPairToken + 256;
