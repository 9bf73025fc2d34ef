import { createInterface, type Interface } from 'node:readline/promises';
import { AfterimageError, failure } from '../core/errors.ts';
import type { InferencePort } from '../core/inference.ts';
import { imageSourceFromFile } from '../images/load.ts';
import { startNativeEngine } from '../inference/nativeEngine.ts';
import { Conversation } from './conversation.ts';
import { describeError, isAbort } from './exitCodes.ts';
import { createLogger } from './logger.ts';
import { type AnswerFlags, type EngineFlags, engineConfig, generationOptions } from './options.ts';
import { jsonReport, statsLine, writeAnswer } from './report.ts';
import { terminalLine } from './terminalText.ts';

const help = `Ask about the picture, or:
  /image FILE   add a picture to the next question
  /stats        what the engine has done so far
  /reset        start over, without pictures
  /help         this text
  /exit         leave (also /quit, Ctrl-D)
Ctrl-C stops an answer; pressed twice it leaves.`;

/**
 * `afterimage chat [IMAGE...]`. On a terminal it prompts; piped, every line is a question and stdout carries answers
 * only. A question that fails is reported and the chat goes on; piped, the first failure ends it with its exit code.
 */
export async function chat(paths: readonly string[], flags: EngineFlags & AnswerFlags): Promise<void> {
  const images = await Promise.all(paths.map((path) => imageSourceFromFile(path, flags.detail)));
  const engine = startNativeEngine(engineConfig(flags), createLogger(flags.log));
  const session = new ChatSession(engine, flags);
  try {
    const { model } = await engine.ready();
    if (session.isTerminal) process.stderr.write(`${model}. /help tells what you can do.\n`);
    for (const image of images) session.conversation.addImage(image);
    await session.run();
  } finally {
    await engine.dispose();
  }
}

class ChatSession {
  readonly conversation: Conversation;
  readonly isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  readonly #engine: InferencePort;
  readonly #flags: AnswerFlags;
  #lines: Interface | undefined;
  #answering: AbortController | undefined;
  #interrupted = false;

  constructor(engine: InferencePort, flags: AnswerFlags) {
    this.#engine = engine;
    this.#flags = flags;
    this.conversation = new Conversation(engine, {
      system: flags.system,
      generation: generationOptions(flags),
    });
  }

  async run(): Promise<void> {
    // Not before: lines that come while nobody iterates would be lost.
    const lines = createInterface({
      input: process.stdin,
      output: process.stderr,
      terminal: this.isTerminal,
    });
    this.#lines = lines;
    // On a terminal readline reads Ctrl-C as a key; piped, it is a signal.
    lines.on('SIGINT', () => this.#interrupt());
    process.on('SIGINT', () => this.#interrupt());
    lines.setPrompt('> ');
    let isOpen = true;
    lines.once('close', () => {
      isOpen = false;
    });
    const prompt = (): void => {
      // Ctrl-D during an answer has closed it.
      if (this.isTerminal && isOpen) lines.prompt();
    };
    prompt();
    for await (const line of lines) {
      this.#interrupted = false;
      const text = line.trim();
      if (/^\/(exit|quit)(\s|$)/.test(text)) break;
      if (text) await this.#handle(text);
      prompt();
    }
    lines.close();
  }

  async #handle(text: string): Promise<void> {
    try {
      if (/^\/[a-z]+(\s|$)/.test(text)) await this.#command(text);
      else await this.#ask(text);
    } catch (error) {
      if (!this.isTerminal || !(error instanceof AfterimageError || isAbort(error))) throw error;
      process.stderr.write(isAbort(error) ? '\n(stopped)\n' : `${describeError(error)}\n`);
      if (error instanceof AfterimageError && error.code === 'context_length_exceeded') {
        process.stderr.write('/reset starts over, without what was said and shown.\n');
      }
    }
  }

  async #command(text: string): Promise<void> {
    const [command = ''] = text.split(/\s/, 1);
    switch (command) {
      case '/image': {
        const path = text
          .slice(command.length)
          .trim()
          .replace(/^(["'])(.*)\1$/, '$2');
        if (path === '') throw failure('invalid_parameter', { param: '/image', problem: 'needs a file' });
        const image = await imageSourceFromFile(path, this.#flags.detail);
        this.conversation.addImage(image);
        process.stderr.write(`${terminalLine(path)}: the model sees ${image.width}x${image.height} px\n`);
        return;
      }
      case '/stats':
        process.stderr.write(`${JSON.stringify(await this.#engine.stats(), null, 2)}\n`);
        return;
      case '/reset':
        this.conversation.reset();
        return;
      case '/help':
        process.stderr.write(`${help}\n`);
        return;
      default:
        throw failure('invalid_parameter', { param: command, problem: 'is no command, /help lists them' });
    }
  }

  async #ask(question: string): Promise<void> {
    this.#answering = new AbortController();
    const write = (text: string): void => void (this.#flags.json || writeAnswer(text));
    try {
      const result = await this.conversation.ask(question, write, this.#answering.signal);
      if (this.#flags.json) process.stdout.write(`${jsonReport(question, result)}\n`);
      else {
        process.stdout.write('\n');
        process.stderr.write(
          `${this.isTerminal ? '\u001b[2m' : ''}${statsLine(result)}${this.isTerminal ? '\u001b[0m' : ''}\n`,
        );
      }
    } finally {
      this.#answering = undefined;
    }
  }

  /** First the answer stops; a second time, or with nothing to stop, the chat ends. */
  #interrupt(): void {
    if (this.#answering && !this.#interrupted) {
      this.#interrupted = true;
      this.#answering.abort();
    } else {
      this.#answering?.abort();
      this.#lines?.close();
    }
  }
}
