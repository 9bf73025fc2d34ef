import { failure } from '../core/errors.ts';
import { imageSourceFromFile } from '../images/load.ts';
import { startNativeEngine } from '../inference/nativeEngine.ts';
import { untilAborted } from '../inference/untilAborted.ts';
import { Conversation } from './conversation.ts';
import { createLogger } from './logger.ts';
import { looksLikePicture } from './looksLikePicture.ts';
import { type AnswerFlags, type EngineFlags, engineConfig, generationOptions } from './options.ts';
import { jsonReport, statsLine, writeAnswer } from './report.ts';

/** `afterimage ask IMAGE... QUESTION`: one answer, then the end. */
export async function ask(words: readonly string[], flags: EngineFlags & AnswerFlags): Promise<void> {
  const paths = words.slice(0, -1);
  const question = words.at(-1) ?? '';
  if (question.trim() === '') throw failure('invalid_parameter', { param: 'question', problem: 'is empty' });
  // A picture alone would be taken for the question.
  if (await looksLikePicture(question)) {
    const problem = `is missing, the last argument is the picture ${question}`;
    throw failure('invalid_parameter', { param: 'question', problem });
  }
  // Pictures first: a wrong path is told before a model is loaded.
  const images = await Promise.all(paths.map((path) => imageSourceFromFile(path, flags.detail)));
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const engine = startNativeEngine(engineConfig(flags), createLogger(flags.log));
  try {
    // A large model may load for longer than a request would wait for it.
    await untilAborted(engine.ready(), interrupt.signal);
    const conversation = new Conversation(engine, {
      system: flags.system,
      generation: generationOptions(flags),
    });
    for (const image of images) conversation.addImage(image);
    const write = (text: string): void => void (flags.json || writeAnswer(text));
    const result = await conversation.ask(question, write, interrupt.signal);
    if (flags.json) process.stdout.write(`${jsonReport(question, result)}\n`);
    else {
      process.stdout.write('\n');
      process.stderr.write(`${statsLine(result)}\n`);
    }
  } finally {
    await engine.dispose();
  }
}
