import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runCli } from './helpers/cli.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const rabbit = join(root, 'examples/rabbit.png');
const folder = mkdtempSync(join(tmpdir(), 'afterimage-cli-'));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('ask', () => {
  test('a question may be called like a folder, be stopped by several texts, and cut short', async () => {
    const args = ['ask', rabbit, '--stop', 'zzz', '--stop', 'qqq', '--max-tokens', '1', '-t', '1e-9', 'docs'];
    const { code, stdout, stderr } = await runCli(args);
    expect(code).toBe(0);
    expect(stdout.trim()).not.toBe('');
    expect(stderr).toContain('cut at the token limit');
  });

  test('answers on stdout, and says on stderr what it cost', async () => {
    const { code, stdout, stderr } = await runCli(['ask', rabbit, 'How much does it cost']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '$49.\n' });
    expect(stderr).toMatch(
      /^encode \d+ ms · prompt \d+ tokens \(0 reused\) · first token \d+ ms · \d+ tokens\/s\n$/,
    );
  });

  test.skipIf(process.platform === 'win32')(
    'a device is no picture: it is not read to find out',
    async () => {
      const { code, stdout } = await runCli(['ask', rabbit, '/dev/zero', '--max-tokens', '1']);
      expect({ code, isEmpty: stdout.trim() === '' }).toEqual({ code: 0, isEmpty: false });
    },
  );

  test.skipIf(process.platform !== 'linux')(
    'an answer that can not be written is said in one line',
    async () => {
      const full = openSync('/dev/full', 'w');
      try {
        const { code, stderr } = await runCli(['ask', rabbit, 'What is it?'], { stdout: full });
        expect(stderr).toBe('afterimage: The output could not be written (ENOSPC). [output_failed]\n');
        expect(code).toBe(6);
      } finally {
        closeSync(full);
      }
    },
  );

  test('takes several pictures, and speaks JSON', async () => {
    const dog = join(root, 'examples/dog.png');
    const { stdout } = await runCli(['ask', rabbit, dog, 'Are they in stock?', '--json']);
    const { answer, usage, finishReason } = JSON.parse(stdout);
    expect(answer).toBe('The first is in stock, the second is sold out.');
    expect(usage).toMatchObject({ imagesEncoded: 2, imageTokens: 240 });
    expect(finishReason).toBe('stop');
  });
});

describe('chat', () => {
  test('piped: a path is a question, an unknown command ends it, a picture may have blanks in its name', async () => {
    const picture = file('two  blanks.png', readFileSync(rabbit));
    const input = `/image ${picture}\n/tmp/x is what?\n/imgae ${picture}\nWhat is it?\n`;
    const { code, stdout, stderr } = await runCli(['chat'], { input });
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toContain('/imgae: is no command, /help lists them. [invalid_parameter]');
    expect(code).toBe(2);
  });

  test('piped: every line is a question, commands work, the picture is encoded once', async () => {
    const input = [
      'What is the brand?',
      '/image examples/dog.png',
      'Here is another one. Please describe the image.',
      '/stats',
      '/reset',
      'What is it?',
    ].join('\n');
    const { code, stdout, stderr } = await runCli(['chat', rabbit], { input });
    expect(code).toBe(0);
    const answers = stdout.split('\n');
    expect(answers.slice(0, 2)).toEqual(['Zentro.', 'A gray dog by Delta, $749, sold out.']);
    expect(answers[2]).toMatch(/picture/i);
    expect(stderr).toContain('"encoderCalls": 2');
    expect(stderr).toContain('the model sees 384x320 px');
  });

  test('piped: /quit leaves, whatever comes after it', async () => {
    const { code, stdout } = await runCli(['chat'], { input: '/quit now\nWhat is it?\n' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  test('an interrupt ends a piped chat with 130', async () => {
    const args = ['chat', '--temperature', '2', '--max-tokens', '1500', '--seed', '3'];
    const { code, stderr } = await runCli(args, {
      input: 'Tell me a story.\n'.repeat(300),
      signalAtOutput: true,
    });
    expect(code).toBe(130);
    // An answer may have come to its end before the signal arrived: nothing but its quiet line is said then.
    const lines = stderr.split('\n').filter((line) => line !== '');
    expect(lines.filter((line) => !/^prompt \d+ tokens .* tokens\/s$/.test(line))).toEqual([]);
    expect(lines.length).toBeLessThan(150);
  });
});

test('doctor tells what it found', async () => {
  const { code, stdout } = await runCli(['doctor', '--json', '--gpu', 'off']);
  expect(code).toBe(0);
  const { engine, speeds, packages } = JSON.parse(stdout);
  expect(engine).toMatchObject({ model: 'Afterimage Tiny', backend: 'CPU' });
  expect(speeds.encodeMs).toBeGreaterThan(0);
  expect(speeds.prefillTokensPerSecond).toBeGreaterThan(0);
  expect(Object.values(packages)).toContain('installed');
});

describe('what goes wrong is said in one line, with an exit code', () => {
  const model = readFileSync(join(root, 'models/afterimage-tiny-f16.gguf'));
  const copy = file('model.gguf', model);
  const mmproj = join(root, 'models/mmproj-afterimage-tiny-f16.gguf');
  const ask = (...args: string[]): string[] => ['ask', rabbit, 'What is it?', ...args];
  test.each<[string, string[], number, RegExp]>([
    ['no command', [], 2, /Usage: afterimage/],
    ['unknown option', ask('--colour', 'red'), 2, /unknown option '--colour'/],
    ['a number that is none', ask('--temperature', 'hot'), 2, /A number is needed/],
    [
      'a parameter out of range',
      ask('--temperature', '3'),
      2,
      /^afterimage: --temperature: must be from 0 to 2, got 3/,
    ],
    ['a seed that means random', ask('--seed', '4294967295'), 2, /--seed: must be .* to 4294967294/],
    ['no question', ['ask', rabbit], 2, /question: is missing/],
    ['no question, and no such picture', ['ask', 'nope.jpeg'], 2, /question: is missing/],
    [
      'no question, and a picture of a kind that is not taken',
      ['ask', rabbit, file('drawing', '<svg xmlns="http://www.w3.org/2000/svg"/>')],
      2,
      /question: is missing, the last argument is the picture/,
    ],
    ['a folder', ['ask', folder, 'What?'], 3, /could not be read \(it is a folder\)/],
    [
      'a name that would recolour the terminal',
      ['ask', 'no\n\u001b[31mpe.png', 'What?'],
      3,
      /^afterimage: No such picture file: no\ufffd\ufffd\[31mpe\.png\. \[image_not_found\]\n$/,
    ],
    ['no threads', ask('--threads', '0'), 2, /--threads: must be from 1 to 512, got 0/],
    [
      'no such picture',
      ['ask', 'nope.png', 'What?'],
      3,
      /No such picture file: nope.png\. \[image_not_found\]/,
    ],
    ['not a picture', ['ask', file('x.png', 'hello'), 'What?'], 3, /image_format_unknown/],
    ['an SVG', ['ask', file('x.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>'), 'What?'], 3, /is SVG/],
    ['an answer of no token', ask('-n', '0'), 2, /--max-tokens: must be a whole number of at least 1, got 0/],
    ['an answer too long', ask('--max-tokens', '99999'), 3, /context_length_exceeded/],
    ['no such model', ask('--model', 'nope.gguf'), 4, /No such model file: .*nope\.gguf/],
    ['not GGUF', ask('--model', file('text.gguf', 'hello, this is text')), 4, /model_file_not_gguf/],
    [
      'a model cut short',
      ask('--model', file('cut.gguf', model.subarray(0, 5_000_000))),
      4,
      /model_file_truncated/,
    ],
    ['no vision file', ask('--model', copy), 4, /No vision file \(mmproj\)/],
    ['a vision file as model', ask('--model', mmproj), 4, /model_architecture_unsupported/],
    [
      'a model as vision file',
      ask('--mmproj', copy),
      4,
      /model_projector_unsupported|model_architecture_unsupported/,
    ],
    [
      'a library that is not there',
      ask('--gpu', 'cuda'),
      4,
      /npm install @node-llama-cpp\/\S+-cuda@3\.22\.1/,
    ],
    [
      'a library that was never published for Linux',
      ask('--gpu', 'metal'),
      4,
      /no engine library of llama\.cpp v0\.5\.0 for metal on linux-.*native_library_unpublished/,
    ],
  ])('%s', async (_, args, exit, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(exit);
  });
});
