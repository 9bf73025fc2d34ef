import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Lowest first. A folder may import from itself and from folders below it; `core` imports nothing. */
const layers = [
  'core',
  'files',
  'store',
  'keys',
  'llama',
  'images',
  'models',
  'engine',
  'inference',
  'session',
  'gateway',
  'server',
  'cli',
];
/** Neighbours on one level that must not know each other. */
const strangers = [
  ['store', 'llama'],
  ['store', 'images'],
  ['store', 'models'],
  ['store', 'engine'],
  ['store', 'inference'],
  ['session', 'llama'],
  ['session', 'images'],
  ['session', 'models'],
  ['session', 'engine'],
  ['session', 'inference'],
  ['llama', 'images'],
  ['llama', 'models'],
  ['images', 'models'],
  ['engine', 'images'],
  ['gateway', 'store'],
  ['gateway', 'keys'],
  ['gateway', 'llama'],
  ['gateway', 'images'],
  ['gateway', 'models'],
  ['gateway', 'engine'],
  ['gateway', 'inference'],
];

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => join(src, file));

/** Files a file imports, type imports included: a type is knowledge too. */
function importsOf(file: string): string[] {
  const pattern = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;
  return [...readFileSync(file, 'utf8').matchAll(pattern)].map(([, path]) =>
    resolve(dirname(file), path as string),
  );
}

function layerOf(file: string): string {
  return relative(src, file).split('/')[0] as string;
}

test('every folder is a known layer', () => {
  expect(new Set(files.map(layerOf))).toEqual(new Set(layers));
});

test('imports only point down', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => {
        const [from, to] = [layerOf(file), layerOf(imported)];
        if (strangers.some((pair) => from !== to && pair.includes(from) && pair.includes(to))) return true;
        return layers.indexOf(to) > layers.indexOf(from);
      })
      .map((imported) => `${relative(src, file)} -> ${relative(src, imported)}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself through others', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].map((step) => relative(src, step)).join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

test('every imported file exists', () => {
  const known = new Set(files);
  expect(files.flatMap(importsOf).filter((imported) => !known.has(imported))).toEqual([]);
});
