import { expect, test } from 'vitest';
import { candidatePackages } from './libraries.ts';

test('names the platform packages that can serve a choice, best first', () => {
  const names = (...args: Parameters<typeof candidatePackages>): string[] =>
    candidatePackages(...args).map((name) => name.replace('@node-llama-cpp/', ''));
  expect(names('auto', 'linux', 'x64')).toEqual(['linux-x64-cuda', 'linux-x64-vulkan', 'linux-x64']);
  expect(names('off', 'linux', 'arm64')).toEqual(['linux-arm64']);
  expect(names('vulkan', 'win32', 'x64')).toEqual(['win-x64-vulkan']);
  expect(names('metal', 'darwin', 'arm64')).toEqual(['mac-arm64-metal']);
  expect(names('off', 'darwin', 'arm64')).toEqual(['mac-arm64-metal']);
  expect(names('off', 'darwin', 'x64')).toEqual(['mac-x64']);
});
