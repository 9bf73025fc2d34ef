import { crc32 } from 'node:zlib';
import type { ChatMessage } from '../../src/core/request.ts';
import { echoPieces } from '../../src/inference/scriptedAnswer.ts';

export interface Said {
  readonly input: string;
  readonly answer: string;
}

/** What the scripted engine answers to `input` after these turns: any other history, in text or tokens, gives another answer. */
export function echoAfter(turns: readonly Said[], input: string): string {
  const messages: ChatMessage[] = [];
  for (const turn of turns) {
    const pieces = echoPieces({ tenant: '', messages: [...messages, userMessage(turn.input)] });
    const tokens = pieces.map((piece) => crc32(piece) & 0x7fff_ffff);
    const content = [{ type: 'text' as const, text: turn.answer }];
    messages.push(userMessage(turn.input), { role: 'assistant', content, tokens });
  }
  return echoPieces({ tenant: '', messages: [...messages, userMessage(input)] }).join('');
}

const userMessage = (text: string): ChatMessage => ({ role: 'user', content: [{ type: 'text', text }] });
