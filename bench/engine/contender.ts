import type { Picture } from './picture.ts';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  /** Comes before the text. */
  readonly picture?: Picture;
  /** Of an answer: the token ids it was generated with. */
  readonly tokens?: readonly number[];
}

export interface Question {
  /** Names the conversation; what one leaves behind is of no use to another. */
  readonly conversation: string;
  readonly messages: readonly Message[];
  /** The answer has exactly as many tokens. */
  readonly answerTokens: number;
}

export interface Answer {
  readonly message: Message;
  readonly promptTokens: number;
  /** Prompt tokens that had to be computed. */
  readonly newTokens: number;
  /** From sending the request to the first text, on the asking side. */
  readonly firstTokenMs: number;
  /** When each token arrived, in milliseconds of `performance.now()`. */
  readonly arrivalsMs: readonly number[];
  /** As the answering side measured it; undefined where it does not say. */
  readonly encodeMs: number | undefined;
  readonly prefillMs: number | undefined;
}

/** Something that answers questions and can be measured: the engine, or a server to compare it with. */
export interface Contender {
  readonly name: string;
  /** Answers it gives at the same time; more have to wait. */
  readonly maxRunning: number;
  /** @throws when it fails, or the answer has not the length that was asked for. */
  ask(question: Question): Promise<Answer>;
  /** Ends a conversation: its memory may go. */
  forget(conversation: string): Promise<void>;
}

/** Both sides are asked for one token over and over; whoever gives less was stopped by something else. */
export function checkAnswerLength(name: string, wanted: number, tokens: number, arrivals: number): void {
  if (tokens === wanted && arrivals === wanted) return;
  throw new Error(`${name} was asked for ${wanted} tokens, gave ${tokens} in ${arrivals} pieces`);
}
