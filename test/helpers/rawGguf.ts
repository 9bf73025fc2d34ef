import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './gguf.ts';

export const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
/** A metadata entry: key, value type, value as stored. */
export const entry = (key: string, type: number, ...value: Buffer[]) =>
  Buffer.concat([text(key), u32(type), ...value]);
export const tensorInfo = (name: string, sides: number[], type: number, offset: number) =>
  Buffer.concat([text(name), u32(sides.length), ...sides.map(u64), u32(type), u64(offset)]);

/** A header made by hand, for what the writer rightly refuses to write; zero bytes follow it. */
export async function rawFile(tensors: Buffer[], entries: Buffer[], { version = 3, tail = 4096 } = {}) {
  const path = join(await temporaryFolder(), 'raw.gguf');
  const head = [Buffer.from('GGUF'), u32(version), u64(tensors.length), u64(entries.length)];
  await writeFile(path, Buffer.concat([...head, ...entries, ...tensors, Buffer.alloc(tail)]));
  return path;
}
