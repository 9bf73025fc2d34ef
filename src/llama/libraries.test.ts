import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cudaDeviceCount } from './cudaDriver.ts';
import { candidatePackages } from './libraries.ts';

test('names the platform packages that can serve a choice, best first', () => {
  const names = (...args: Parameters<typeof candidatePackages>): string[] =>
    candidatePackages(...args).map((name) => name.replace('@node-llama-cpp/', ''));
  expect(names('auto', 'linux', 'x64')).toEqual(['linux-x64-cuda', 'linux-x64-vulkan', 'linux-x64']);
  expect(names('off', 'linux', 'arm64')).toEqual(['linux-arm64']);
  expect(names('auto', 'linux', 'arm64')).toEqual(['linux-arm64']);
  for (const nothing of [
    names('metal', 'linux', 'x64'),
    names('cuda', 'linux', 'arm64'),
    names('off', 'darwin', 'arm64'),
    names('auto', 'win32', 'x64'),
  ]) {
    expect(nothing).toEqual([]);
  }
});

test('every optional package of ours is one that the lock file resolves', () => {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));
  const resolved = Object.keys(read('package-lock.json').packages);
  for (const name of Object.keys(read('package.json').optionalDependencies)) {
    expect(resolved).toContain(`node_modules/${name}`);
  }
});

test('there is no CUDA device where there is no driver', () => {
  expect(cudaDeviceCount('libno-such-driver.so.1')).toBe(0);
});
