import { failure } from '../core/errors.ts';
import { type GgmlType, ggmlTypeById, tensorBytes } from './ggmlTypes.ts';
import { GgufCursor, ggufLimits } from './ggufCursor.ts';
import { openModelFile } from './modelFile.ts';
import { printable } from './printable.ts';

/** 64-bit integers are numbers where a double holds them exactly, else bigints. */
export type GgufScalar = string | number | boolean | bigint;
export type GgufMetadata = ReadonlyMap<string, GgufScalar | readonly GgufScalar[]>;

export interface TensorInfo {
  readonly name: string;
  /** Elements per side, innermost first (ggml's `ne`), 1 to 4 sides. */
  readonly shape: readonly number[];
  readonly type: GgmlType;
  /** From the start of the file, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface GgufHeader {
  readonly path: string;
  readonly fileBytes: number;
  readonly metadata: GgufMetadata;
  /** By name, in file order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

type ScalarReader = (cursor: GgufCursor, key: string) => GgufScalar;

const arrayType = 9;

/** Readers by `enum gguf_metadata_value_type`; 9 is a list of one of these, and lists of lists do not exist. */
const scalarReaders: ReadonlyMap<number, ScalarReader> = new Map<number, ScalarReader>([
  [0, (cursor) => cursor.u8()],
  [1, (cursor) => cursor.take(1).readInt8()],
  [2, (cursor) => cursor.take(2).readUInt16LE()],
  [3, (cursor) => cursor.take(2).readInt16LE()],
  [4, (cursor) => cursor.u32()],
  [5, (cursor) => cursor.take(4).readInt32LE()],
  [6, (cursor) => cursor.take(4).readFloatLE()],
  [7, (cursor) => cursor.u8() !== 0],
  [8, (cursor, key) => cursor.string(key)],
  [10, (cursor) => narrowed(cursor.take(8).readBigUInt64LE())],
  [11, (cursor) => narrowed(cursor.take(8).readBigInt64LE())],
  [12, (cursor) => cursor.take(8).readDoubleLE()],
]);

function narrowed(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readValue(cursor: GgufCursor, key: string): GgufScalar | GgufScalar[] {
  const type = cursor.u32();
  const elementType = type === arrayType ? cursor.u32() : type;
  const read = scalarReaders.get(elementType);
  if (read === undefined) throw cursor.invalid(key, `of unknown type ${elementType}`);
  if (type !== arrayType) return read(cursor, key);
  const length = cursor.size(`the length of ${key}`, ggufLimits.maxArrayLength);
  const values: GgufScalar[] = [];
  for (let index = 0; index < length; index++) values.push(read(cursor, key));
  return values;
}

function readMetadata(cursor: GgufCursor, entries: number): GgufMetadata {
  const metadata = new Map<string, GgufScalar | readonly GgufScalar[]>();
  for (let index = 0; index < entries; index++) {
    const key = cursor.string(`metadata key ${index}`, ggufLimits.maxKeyBytes);
    if (metadata.has(key)) throw cursor.invalid(printable(key), 'there twice');
    metadata.set(key, readValue(cursor, printable(key)));
  }
  return metadata;
}

function readAlignment(cursor: GgufCursor, metadata: GgufMetadata): number {
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
    throw cursor.invalid('general.alignment', `${printable(String(alignment))}, not a power of two`);
  }
  return alignment;
}

/** A tensor info as stored: `offset` counts from the start of the tensor data, which is known only after the last one. */
function readTensor(cursor: GgufCursor, index: number): TensorInfo {
  const name = cursor.string(`the name of tensor ${index}`, ggufLimits.maxTensorNameBytes);
  const field = `tensor ${printable(name)}`;
  const sides = cursor.u32();
  if (sides < 1 || sides > ggufLimits.maxDimensions) {
    throw cursor.invalid(field, `of ${sides} sides, 1 to ${ggufLimits.maxDimensions} are possible`);
  }
  const shape = Array.from({ length: sides }, () => cursor.size(`a side of ${field}`));
  const typeId = cursor.u32();
  const type = ggmlTypeById(typeId);
  if (type === undefined) throw cursor.invalid(field, `of unknown type ${typeId}`);
  const [row = 0] = shape;
  if (shape.includes(0) || row % type.blockElements !== 0) {
    throw cursor.invalid(field, `of shape ${shape.join('x')}, impossible for type ${type.name}`);
  }
  return {
    name,
    shape,
    type,
    offset: cursor.size(`the offset of ${field}`),
    bytes: tensorBytes(type, shape),
  };
}

function readTensors(
  cursor: GgufCursor,
  count: number,
  alignment: number,
  fileBytes: number,
): Map<string, TensorInfo> {
  const stored = Array.from({ length: count }, (_, index) => readTensor(cursor, index));
  const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
  const dataOffset = aligned(cursor.offset);
  const tensors = new Map<string, TensorInfo>();
  // Tensors lie one after another in the order of their infos; llama.cpp insists on it, and so they cannot overlap.
  let expected = 0;
  for (const tensor of stored) {
    const field = `tensor ${printable(tensor.name)}`;
    if (tensors.has(tensor.name)) throw cursor.invalid(field, 'there twice');
    if (tensor.offset !== expected) {
      throw cursor.invalid(field, `at offset ${tensor.offset}, ${expected} was expected`);
    }
    expected += aligned(tensor.bytes);
    tensors.set(tensor.name, { ...tensor, offset: dataOffset + tensor.offset });
  }
  const last = [...tensors.values()].at(-1);
  const needed = last === undefined ? 0 : last.offset + last.bytes;
  if (needed > fileBytes) throw cursor.truncated(needed);
  return tensors;
}

function parse(cursor: GgufCursor, fileBytes: number): GgufHeader {
  const { path } = cursor;
  if (fileBytes < 4 || cursor.take(4).toString('latin1') !== 'GGUF') {
    throw failure('model_file_not_gguf', { path });
  }
  const version = cursor.u32();
  if (version !== 2 && version !== 3)
    throw cursor.invalid('its GGUF version', `${version}, 2 and 3 are supported`);
  const tensorCount = cursor.size('its number of tensors', ggufLimits.maxTensors);
  const metadataEntries = cursor.size('its number of metadata entries', ggufLimits.maxMetadataEntries);
  const metadata = readMetadata(cursor, metadataEntries);
  const alignment = readAlignment(cursor, metadata);
  return { path, fileBytes, metadata, tensors: readTensors(cursor, tensorCount, alignment, fileBytes) };
}

/**
 * Reads metadata and tensor infos of a GGUF file (versions 2 and 3, little endian; docs/gguf.md of the ggml project)
 * and checks them as strictly as llama.cpp's own loader, within `ggufLimits`. Tensor data is not read.
 *
 * @throws AfterimageError model_file_not_found, model_file_not_gguf, model_file_truncated, model_metadata_invalid
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const { file, fileBytes } = await openModelFile(path);
  try {
    return parse(new GgufCursor(file.fd, path, fileBytes), fileBytes);
  } finally {
    await file.close();
  }
}
