import { Command } from 'commander';
import { expect, test } from 'vitest';
import { AfterimageError } from '../core/errors.ts';
import { defaultSampling } from '../core/validateRequest.ts';
import { flagOf } from '../server/spelling.ts';
import { flagNames, inFlags } from './flagNames.ts';
import { addAnswerOptions, addEngineOptions } from './options.ts';

test('every flag that an error names is one, and every option of sampling has its name', () => {
  const options = addAnswerOptions(addEngineOptions(new Command())).options.map(({ long }) => long);
  for (const flag of Object.values(flagNames)) expect(options).toContain(flag);
  const offered = Object.keys(defaultSampling).filter((name) => options.includes(flagOf(name)));
  expect(offered.length).toBeGreaterThan(3);
  for (const name of offered) expect(flagNames).toHaveProperty(name);
});

test('an error about something else stays as it is', () => {
  const error = new AfterimageError('invalid_parameter', { param: 'question', problem: 'is empty' });
  expect(inFlags(error)).toBe(error);
});
