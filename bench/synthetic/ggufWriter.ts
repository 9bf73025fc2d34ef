import { type FileHandle, open, rename } from 'node:fs/promises';
import { type GgmlTypeName, ggmlTypes } from '../../src/models/ggmlTypes.ts';

/** A metadata value; numbers and lists say how they are stored. */
export type GgufValue =
  | string
  | boolean
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] }
  | { readonly bools: readonly boolean[] };

export type GgufSink = (bytes: Uint8Array) => Promise<void>;

export interface GgufTensor {
  readonly name: string;
  /** Innermost side first, as ggml has it. */
  readonly shape: readonly number[];
  readonly ggmlType: GgmlTypeName;
  readonly bytes: number;
  /** Gives exactly `bytes` bytes to the sink, in any pieces; the sink has used a piece when its promise resolves. */
  readonly write: (sink: GgufSink) => Promise<void>;
}

const alignment = 32;
const pad = (bytes: number) => (alignment - (bytes % alignment)) % alignment;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

const bool = (value: boolean) => Buffer.of(value ? 1 : 0);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** Numbers of `enum gguf_metadata_value_type`. */
const valueType = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;

function array<Item>(type: number, items: readonly Item[], encode: (item: Item) => Buffer): Buffer {
  return Buffer.concat([u32(valueType.array), u32(type), u64(items.length), ...items.map(encode)]);
}

function encodeValue(value: GgufValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([u32(valueType.string), text(value)]);
  if (typeof value === 'boolean') return Buffer.concat([u32(valueType.bool), bool(value)]);
  if ('u32' in value) return Buffer.concat([u32(valueType.u32), u32(value.u32)]);
  if ('f32' in value) return Buffer.concat([u32(valueType.f32), f32(value.f32)]);
  if ('strings' in value) return array(valueType.string, value.strings, text);
  if ('i32s' in value) return array(valueType.i32, value.i32s, i32);
  if ('f32s' in value) return array(valueType.f32, value.f32s, f32);
  return array(valueType.bool, value.bools, bool);
}

function encodeHeader(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  const entries = Object.entries(metadata);
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) parts.push(text(key), encodeValue(value));
  let offset = 0;
  for (const { name, shape, ggmlType, bytes } of tensors) {
    parts.push(text(name), u32(shape.length), ...shape.map(u64), u32(ggmlTypes[ggmlType].id), u64(offset));
    offset += bytes + pad(bytes);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(pad(header.length))]);
}

/** Size of the file that `writeGguf` makes of the same arguments. */
export function ggufFileBytes(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes + pad(bytes), encodeHeader(metadata, tensors).length);
}

async function writeTensor(file: FileHandle, tensor: GgufTensor): Promise<void> {
  let written = 0;
  await tensor.write(async (bytes) => {
    written += bytes.length;
    await file.writeFile(bytes);
  });
  if (written !== tensor.bytes) {
    throw new RangeError(`${tensor.name} gave ${written} bytes and promised ${tensor.bytes}`);
  }
  await file.writeFile(Buffer.alloc(pad(written)));
}

/**
 * Writes a GGUF version 3 file (docs/gguf.md of the ggml project), tensor after tensor, never holding more than one
 * piece. The file appears under its name only when it is whole.
 */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w');
  try {
    await file.writeFile(encodeHeader(metadata, tensors));
    for (const tensor of tensors) await writeTensor(file, tensor);
  } finally {
    await file.close();
  }
  await rename(partial, path);
}
