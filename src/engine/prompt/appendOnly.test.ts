import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteTokenizer, byteTokenizerSize } from '../../../test/helpers/byteTokenizer.ts';
import {
  defaultSystemTemplate,
  embeddedTemplate,
  systemLastTemplate,
  thinkingTemplate,
} from '../../../test/helpers/chatTemplates.ts';
import { conversations, flatten, unruly } from '../../../test/helpers/conversations.ts';
import { ChatTemplate } from './chatTemplate.ts';
import { commonPrefix, takePrefix, totalCells, totalPositions } from './commonPrefix.ts';
import type { Segment } from './segment.ts';

const text = unruly(byteTokenizer.specials.keys());
const token = fc.nat(byteTokenizerSize - 1).filter((id) => !byteTokenizer.isEndOfGeneration(id));
const grown = conversations(text, token);

function chatTemplate(source: string): ChatTemplate {
  return new ChatTemplate({ source, path: 'model.gguf', tokenizer: byteTokenizer, imageTokenPixels: 32 });
}

/** Token by token, images by key: what two equal prompts have in common, however they are cut. */
function flat(segments: readonly Segment[]): (number | string)[] {
  return segments.flatMap<number | string>((segment) =>
    segment.kind === 'text' ? segment.tokens : segment.key,
  );
}

describe.each(Object.entries({ embeddedTemplate, defaultSystemTemplate }))('%s', (_name, source) => {
  test('a prompt with its committed answer is a prefix of the next turn', () => {
    const chat = chatTemplate(source);
    fc.assert(
      fc.property(grown, ({ system, turns }) => {
        for (let turn = 1; turn < turns.length; turn++) {
          const past = [...system, ...flatten(turns.slice(0, turn))];
          const answer = past.pop();
          const before: Segment[] = [
            ...chat.render(past, { addGenerationPrompt: true }),
            { kind: 'text', tokens: answer?.tokens ?? [] },
          ];
          const next = [...system, ...flatten(turns.slice(0, turn + 1))].slice(0, -1);
          const after = chat.render(next, { addGenerationPrompt: true });
          expect(commonPrefix(before, after)).toEqual({
            cells: totalCells(before),
            positions: totalPositions(before),
          });
        }
      }),
    );
  });
});

test('a template that opens thinking only for the new answer shares everything before that', () => {
  const chat = chatTemplate(thinkingTemplate);
  const think = byteTokenizer.specials.get('<think>');
  fc.assert(
    fc.property(grown, ({ system, turns: [first, second] }) => {
      if (!first || !second) throw new Error('a conversation has two turns at least');
      // An answer that opens its thinking just as the template does would be shared, too.
      fc.pre(first.answer.tokens[0] !== think);
      const before = chat.render([...system, first.user], { addGenerationPrompt: true });
      const next = [...system, first.user, first.answer, second.user];
      const after = chat.render(next, { addGenerationPrompt: true });
      const { cells, positions } = commonPrefix(before, after);
      expect(flat(before).at(-2)).toBe(think);
      expect(cells).toBe(totalCells(before) - 2);
      expect(positions).toBe(totalPositions(before) - 2);
      expect(flat(takePrefix(after, cells))).toEqual(flat(before).slice(0, -2));
    }),
  );
});

test('a template that puts the system message last shares the conversation before it', () => {
  const chat = chatTemplate(systemLastTemplate);
  const system = { role: 'system', content: [{ type: 'text', text: 'today' }] } as const;
  fc.assert(
    fc.property(grown, ({ turns: [first, second] }) => {
      if (!first || !second) throw new Error('a conversation has two turns at least');
      const before = chat.render([system, first.user], { addGenerationPrompt: true });
      const next = [system, first.user, first.answer, second.user];
      const after = chat.render(next, { addGenerationPrompt: true });
      const shared = chat.render([first.user], { addGenerationPrompt: false });
      const imStart = [byteTokenizer.specials.get('<|im_start|>')];
      const { cells } = commonPrefix(before, after);
      expect(flat(takePrefix(after, cells))).toEqual([...flat(shared), ...imStart]);
    }),
  );
});
