import { randomInt } from 'node:crypto';
import type { Answer, Contender, Message } from './contender.ts';
import { freshPicture, type Picture } from './picture.ts';
import type { Plan } from './plan.ts';
import type { Subject } from './subject.ts';

/** What one round found; lists hold single measurements, times by turn begin with the first turn. */
export interface RoundFigures {
  readonly encodeMs: readonly number[];
  readonly freshPictureFirstTokenMs: readonly number[];
  readonly prefillTokensPerSecond: readonly number[];
  readonly newTokens: readonly number[];
  readonly pictureFirstTokenMs: readonly number[];
  readonly textFirstTokenMs: readonly number[];
  readonly decodeTokensPerSecond: ReadonlyMap<number, number>;
}

/** `<|vision_start|>` and `<|vision_end|>`. */
const imageFrameTokens = 2;
/** Seeds texts, too. Begins elsewhere in every process: a server may still hold what the last one asked. */
let conversations = randomInt(2 ** 31);

/** Measures one contender once. */
export class Round {
  readonly #contender: Contender;
  readonly #plan: Plan;
  readonly #subject: Subject;
  /** Words that take as many tokens as a picture. */
  readonly #pictureWords: number;

  constructor(contender: Contender, plan: Plan, subject: Subject) {
    this.#contender = contender;
    this.#plan = plan;
    this.#subject = subject;
    this.#pictureWords = (plan.pictureSidePixels / subject.imageTokenPixels) ** 2 + imageFrameTokens;
  }

  /** Lets caches, pages and clocks settle. */
  async warmUp(): Promise<void> {
    await this.#askOnce(this.#question(1, await this.#picture()), 2);
  }

  async run(): Promise<RoundFigures> {
    return {
      ...(await this.#encodes()),
      prefillTokensPerSecond: await this.#prefills(),
      ...(await this.#turns()),
      decodeTokensPerSecond: await this.#decodes(),
    };
  }

  /**
   * Who does not tell encode times has them estimated: first token after a fresh picture, less first token after a text
   * of as many tokens.
   */
  async #encodes(): Promise<Pick<RoundFigures, 'encodeMs' | 'freshPictureFirstTokenMs'>> {
    const encodeMs: number[] = [];
    const freshPictureFirstTokenMs: number[] = [];
    for (let count = 0; count < this.#plan.pictures; count++) {
      const seen = await this.#askOnce(this.#question(1, await this.#picture()), 1);
      freshPictureFirstTokenMs.push(seen.firstTokenMs);
      if (seen.encodeMs !== undefined) encodeMs.push(seen.encodeMs);
      else {
        const read = await this.#askOnce(this.#question(1 + this.#pictureWords), 1);
        encodeMs.push(seen.firstTokenMs - read.firstTokenMs);
      }
    }
    return { encodeMs, freshPictureFirstTokenMs };
  }

  async #prefills(): Promise<number[]> {
    const rates: number[] = [];
    for (let count = 0; count < this.#plan.prefills; count++) {
      const { newTokens, prefillMs, firstTokenMs } = await this.#askOnce(
        this.#question(this.#plan.prefillTokens),
        1,
      );
      rates.push((newTokens / (prefillMs ?? firstTokenMs)) * 1000);
    }
    return rates;
  }

  /**
   * Two conversations, a turn of one after a turn of the other, so that both meet the same noise. The one without a
   * picture begins with as many words instead.
   */
  async #turns() {
    const { turns, questionTokens } = this.#plan;
    const seen = new Conversation(this.#contender, this.#plan.answerTokens);
    const read = new Conversation(this.#contender, this.#plan.answerTokens);
    const picture = await this.#picture();
    const answers: { seen: Answer; read: Answer }[] = [];
    for (let turn = 1; turn <= turns; turn++) {
      const isFirst = turn === 1;
      const words = questionTokens + (isFirst ? this.#pictureWords : 0);
      answers.push({
        seen: await seen.ask(this.#question(questionTokens, isFirst ? picture : undefined)),
        read: await read.ask(this.#question(words)),
      });
    }
    await seen.forget();
    await read.forget();
    return {
      newTokens: answers.map((answer) => answer.seen.newTokens),
      pictureFirstTokenMs: answers.map((answer) => answer.seen.firstTokenMs),
      textFirstTokenMs: answers.map((answer) => answer.read.firstTokenMs),
    };
  }

  async #decodes(): Promise<ReadonlyMap<number, number>> {
    const rates = new Map<number, number>();
    for (const count of this.#plan.sequenceCounts) {
      if (count > this.#contender.maxRunning) continue;
      const questions = Array.from({ length: count }, () => this.#question(this.#plan.questionTokens));
      const answers = await Promise.all(
        questions.map((question) => this.#askOnce(question, this.#plan.decodeTokens)),
      );
      rates.set(count, togetherTokensPerSecond(answers.map(({ arrivalsMs }) => arrivalsMs)));
    }
    return rates;
  }

  #picture(): Promise<Picture> {
    return freshPicture(this.#plan.pictureSidePixels);
  }

  #question(words: number, picture?: Picture): Message {
    const text = this.#subject.vocabulary.text(words, ++conversations);
    return { role: 'user', text, ...(picture && { picture }) };
  }

  async #askOnce(question: Message, answerTokens: number): Promise<Answer> {
    const conversation = new Conversation(this.#contender, answerTokens);
    const answer = await conversation.ask(question);
    await conversation.forget();
    return answer;
  }
}

class Conversation {
  readonly #contender: Contender;
  readonly #answerTokens: number;
  readonly #name = `conversation ${++conversations}`;
  #messages: readonly Message[] = [];

  constructor(contender: Contender, answerTokens: number) {
    this.#contender = contender;
    this.#answerTokens = answerTokens;
  }

  async ask(question: Message): Promise<Answer> {
    const messages = [...this.#messages, question];
    const conversation = this.#name;
    const answer = await this.#contender.ask({ conversation, messages, answerTokens: this.#answerTokens });
    this.#messages = [...messages, answer.message];
    return answer;
  }

  forget(): Promise<void> {
    return this.#contender.forget(this.#name);
  }
}

/**
 * Tokens per second of all answers together while all of them were decoding: from the last first token to the first
 * last one. Each list holds one answer's arrivals in milliseconds.
 */
export function togetherTokensPerSecond(arrivalsMs: readonly (readonly number[])[]): number {
  const start = Math.max(...arrivalsMs.map((arrivals) => arrivals[0] ?? Number.NaN));
  const end = Math.min(...arrivalsMs.map((arrivals) => arrivals.at(-1) ?? Number.NaN));
  if (!(end > start)) throw new Error('the answers were never decoded together: ask for longer ones');
  const tokens = arrivalsMs.flat().filter((at) => at > start && at <= end).length;
  return (tokens / (end - start)) * 1000;
}
