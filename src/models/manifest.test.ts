import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/helpers/gguf.ts';
import { readManifest, verifyAgainstManifest } from './manifest.ts';

const content = 'weights';
const sha256 = createHash('sha256').update(content).digest('hex');

async function folderWith(manifest: unknown) {
  const folder = await temporaryFolder();
  const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
  await writeFile(join(folder, 'manifest.json'), text);
  await writeFile(join(folder, 'a.gguf'), content);
  return folder;
}

const listing = (bytes: number, digest: string) => ({
  format: 'afterimage-models/1',
  files: { 'a.gguf': { bytes, sha256: digest } },
});

test('a file as listed passes, and so does one that is not listed', async () => {
  const folder = await folderWith(listing(content.length, sha256));
  await verifyAgainstManifest(join(folder, 'a.gguf'));
  await writeFile(join(folder, 'b.gguf'), 'anything');
  await verifyAgainstManifest(join(folder, 'b.gguf'));
  await writeFile(join(folder, 'constructor'), 'a name every object has');
  await verifyAgainstManifest(join(folder, 'constructor'));
});

test('other bytes or another number of them', async () => {
  const path = join(await folderWith(listing(content.length + 1, sha256)), 'a.gguf');
  await expect(verifyAgainstManifest(path)).rejects.toMatchObject({
    code: 'model_file_changed',
    details: { path, field: 'bytes', expected: content.length + 1, actual: content.length },
  });
  const changed = join(await folderWith(listing(content.length, '0'.repeat(64))), 'a.gguf');
  await expect(verifyAgainstManifest(changed)).rejects.toMatchObject({
    code: 'model_file_changed',
    details: { path: changed, field: 'sha256', expected: '0'.repeat(64), actual: sha256 },
  });
});

test('a listed file that is gone', async () => {
  const folder = await folderWith({
    format: 'afterimage-models/1',
    files: { 'gone.gguf': { bytes: 1, sha256 } },
  });
  await expect(verifyAgainstManifest(join(folder, 'gone.gguf'))).rejects.toMatchObject({
    code: 'model_file_not_found',
  });
});

test('no manifest, or the manifest of some other program', async () => {
  expect(await readManifest(await temporaryFolder())).toBeUndefined();
  expect(await readManifest(await folderWith({ name: 'web app', files: [] }))).toBeUndefined();
  expect(await readManifest(await folderWith('not JSON at all'))).toBeUndefined();
});

test.each([
  ['the file', '{"format": "afterimage-models/1", ', 'not valid JSON'],
  ['files.a.gguf.sha256', listing(1, 'short'), 'invalid'],
  ['files.a.gguf.bytes', listing(-1, sha256), 'invalid'],
  ['files', { format: 'afterimage-models/1' }, 'invalid'],
])('a broken manifest of ours names %s', async (field, manifest, problem) => {
  const folder = await folderWith(manifest);
  const error = await readManifest(folder).catch((thrown) => thrown);
  expect(error).toMatchObject({
    code: 'model_metadata_invalid',
    details: { path: join(folder, 'manifest.json'), field },
  });
  expect(error.details.problem).toContain(problem);
});

test('the embedded files are all listed, and the default pair is among them', async () => {
  const folder = fileURLToPath(new URL('../../models', import.meta.url));
  const manifest = await readManifest(folder);
  const present = (await readdir(folder)).filter((name) => name.endsWith('.gguf')).sort();
  expect(Object.keys(manifest?.files ?? {}).sort()).toEqual(present);
  expect(present).toContain(manifest?.default?.model);
  expect(present).toContain(manifest?.default?.mmproj);
  for (const name of present) await verifyAgainstManifest(join(folder, name));
});
