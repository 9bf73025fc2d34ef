import { beforeAll, expect, test } from 'vitest';
import { encodeValues } from '../bench/synthetic/randomTile.ts';
import { loadLibraries, type NativeLibraries } from '../src/llama/libraries.ts';
import { ggmlTypeById, ggmlTypes } from '../src/models/ggmlTypes.ts';

let base: NativeLibraries['base'];

beforeAll(async () => {
  base = (await loadLibraries('off', () => {})).base;
});

/** `GGML_TYPE_COUNT` of the release these bindings are made for. */
const typeCount = 43;

test('the table of tensor types is that of the native library', () => {
  const blockElements = base.func('int64_t ggml_blck_size(int)');
  const blockBytes = base.func('size_t ggml_type_size(int)');
  const typeName = base.func('const char *ggml_type_name(int)');
  for (let id = 0; id < typeCount; id++) {
    const elements = Number(blockElements(id));
    const native = { name: typeName(id), id, blockElements: elements, blockBytes: Number(blockBytes(id)) };
    // Removed types keep their number and have blocks of nothing.
    expect(ggmlTypeById(id), `type ${id}`).toEqual(elements === 0 ? undefined : native);
  }
});

test.each(['f16', 'q8_0', 'q4_0'] as const)(
  'synthetic %s weights are encoded as ggml encodes them',
  (type) => {
    const quantize = base.func(
      'size_t ggml_quantize_chunk(int, const float *, _Out_ uint8_t *, int64_t, int64_t, int64_t, const float *)',
    );
    const values = Float32Array.from({ length: 32 * 256 }, (_, index) => 0.05 * Math.sin(index * index));
    values.fill(0, 0, 32);
    const encoded = encodeValues(type, values);
    const native = new Uint8Array(encoded.length);
    quantize(ggmlTypes[type].id, values, native, 0, 1, values.length, null);
    expect(Buffer.from(encoded).equals(Buffer.from(native))).toBe(true);
  },
);
