import { fileURLToPath } from 'node:url';
import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChatMessage } from '../src/core/request.ts';
import { OutputText } from '../src/engine/decode/outputText.ts';
import { Vocabulary } from '../src/engine/decode/vocabulary.ts';
import { ChatTemplate } from '../src/engine/prompt/chatTemplate.ts';
import { commonPrefix, totalCells, totalPositions } from '../src/engine/prompt/commonPrefix.ts';
import type { Segment } from '../src/engine/prompt/segment.ts';
import type { Pointer } from '../src/llama/binding.ts';
import { type Native, openNative } from '../src/llama/native.ts';
import { embeddedTemplate } from './helpers/chatTemplates.ts';
import { conversations, flatten, plainText, unruly } from './helpers/conversations.ts';

const path = fileURLToPath(new URL('../models/afterimage-tiny-f16.gguf', import.meta.url));
const generation = { addGenerationPrompt: true };
/** Spellings of the embedded model, and of models it is not: text like any other to it. */
const spellings = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|vision_start|>',
  '<|image_pad|>',
  '<think>',
];
const controlTokens = 2000; // The embedded vocabulary: ids below are plain, from here on control tokens.

let native: Native;
let model: Pointer;
let vocabularyPointer: Pointer;
let vocabulary: Vocabulary;
let chat: ChatTemplate;

beforeAll(async () => {
  native = await openNative('off', () => {});
  const { llama } = native;
  const parameters = { ...llama.llama_model_default_params(), vocab_only: true };
  model = llama.llama_model_load_from_file(path, parameters) as Pointer;
  vocabularyPointer = llama.llama_model_get_vocab(model) as Pointer;
  vocabulary = new Vocabulary(llama, vocabularyPointer);
  chat = new ChatTemplate({ source: embeddedTemplate, path, tokenizer: vocabulary, imageTokenPixels: 32 });
});

afterAll(() => native.llama.llama_model_free(model));

/** The native tokenizer on a whole prompt, every spelling counting. */
function encodeWithSpecials(prompt: string): number[] {
  const bytes = Buffer.from(prompt);
  const tokens = new Int32Array(bytes.length + 8);
  const count = native.llama.llama_tokenize(
    vocabularyPointer,
    bytes,
    bytes.length,
    tokens,
    tokens.length,
    false,
    true,
  );
  return [...tokens.subarray(0, count)];
}

function withImagePads(segments: readonly Segment[]): number[] {
  const pad = vocabulary.specials.get('<|image_pad|>') as number;
  return segments.flatMap((segment) => (segment.kind === 'text' ? segment.tokens : pad));
}

test('prompts have the tokens the native tokenizer gives the whole string', () => {
  fc.assert(
    fc.property(conversations(plainText, fc.nat(controlTokens - 1)), ({ system, turns }) => {
      const messages = [...system, ...flatten(turns)].map(
        ({ role, content }): ChatMessage => ({ role, content }),
      );
      const prompt = new Template(embeddedTemplate).render({ messages, add_generation_prompt: true });
      expect(withImagePads(chat.render(messages, generation))).toEqual(encodeWithSpecials(prompt));
    }),
  );
});

test('users cannot make control tokens, and keep every byte', () => {
  fc.assert(
    fc.property(unruly(spellings), (text) => {
      const [segment, ...others] = chat.render(
        [{ role: 'user', content: [{ type: 'text', text }] }],
        generation,
      );
      expect(others).toEqual([]);
      const tokens = segment?.kind === 'text' ? segment.tokens : [];
      expect(tokens.filter((token) => token >= controlTokens)).toEqual([2001, 2002, 2001]);
      const bytes = Buffer.concat(tokens.map((token) => vocabulary.bytesOf(token)));
      expect(bytes.toString()).toBe(`user\n${text.toWellFormed()}\nassistant\n`);
    }),
  );
});

test('a prompt with its committed answer is a prefix of the next turn', () => {
  fc.assert(
    fc.property(conversations(unruly(spellings), fc.nat(controlTokens - 1)), ({ system, turns }) => {
      const [first, second] = turns;
      if (!first || !second) throw new Error('a conversation has two turns at least');
      const before: Segment[] = [
        ...chat.render([...system, first.user], generation),
        { kind: 'text', tokens: first.answer.tokens },
      ];
      const after = chat.render([...system, first.user, first.answer, second.user], generation);
      expect(commonPrefix(before, after)).toEqual({
        cells: totalCells(before),
        positions: totalPositions(before),
      });
    }),
  );
});

test('a stopped answer has tokens that decode to exactly its text', () => {
  const token = fc.nat(controlTokens - 1);
  fc.assert(
    fc.property(
      fc.array(token),
      fc.array(fc.constantFrom('e', 'th', ' a', '\n', '\ufffd')),
      (tokens, stop) => {
        const output = new OutputText(vocabulary, stop.slice(0, 4));
        let text = '';
        for (const token of tokens) {
          const { delta, stopped } = output.push(token);
          text += delta;
          if (stopped) break;
        }
        text += output.finish({ atLimit: false }).delta;
        const result = output.result();
        expect(result.text).toBe(text);
        const bytes = Buffer.concat(result.tokens.map((token) => vocabulary.bytesOf(token)));
        expect(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)).toBe(text);
      },
    ),
  );
});
