#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { failure } from '../core/errors.ts';
import { ask } from './ask.ts';
import { benchState } from './bench/state.ts';
import { chat } from './chat.ts';
import { doctor } from './doctor.ts';
import { describeError, exitCodeOf, exitCodes, isAbort } from './exitCodes.ts';
import { addKeyCommands, addSessionCommands } from './groups.ts';
import { addAnswerOptions, addEngineOptions } from './options.ts';
import { serve } from './serve.ts';
import { addSettingOptions } from './settingOptions.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const program = new Command('afterimage')
  .description("Visual conversations that don't forget.")
  .version(version)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) });

addAnswerOptions(
  addEngineOptions(
    program
      .command('ask')
      .description('ask one question about pictures')
      .argument('<image-or-question...>', 'picture files, then the question')
      .action((words: string[], flags) => ask(words, flags)),
  ),
);

addAnswerOptions(
  addEngineOptions(
    program
      .command('chat')
      .description('talk about pictures, one question after another')
      .argument('[images...]', 'picture files that go with the first question')
      .action((images: string[], flags) => chat(images, flags)),
  ),
);

addEngineOptions(
  program
    .command('doctor')
    .description('what hardware, libraries, model and speeds are found')
    .option('--json', 'as one JSON object')
    .action((flags) => doctor(flags)),
);

addSettingOptions(
  program
    .command('serve')
    .description('serve the OpenAI formats over HTTP, with sessions that are remembered')
    .option('--print-config', 'print the settings that hold, as a configuration file, and end')
    .action((flags) => serve(flags)),
);
addEngineOptions(
  program
    .command('bench')
    .description('measure this machine and model')
    .command('state')
    .description(
      'first token of the 2nd, 5th and 20th turn from each tier, next to computing everything again',
    )
    .addOption(new Option('--rounds <n>', 'conversations for each tier').argParser(roundCount).default(3))
    .option('--json', 'as one JSON object')
    .action((flags) => benchState(flags)),
);
addSessionCommands(program);
addKeyCommands(program);

function roundCount(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('1 to 99 are needed.');
  return Number(text);
}

// A reader that has seen enough (`| head`) is no failure; the engine process ends with this one.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    const failed = failure('output_failed', { reason: error.code ?? error.message });
    process.stderr.write(`${describeError(failed)}\n`);
    process.exit(exitCodeOf(failed));
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version are no failures.
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else {
    // Who pressed Ctrl-C knows why it ends.
    if (!isAbort(error)) process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
