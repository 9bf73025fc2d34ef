import { type FileHandle, open } from 'node:fs/promises';
import { failure } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import type { Pointer } from '../../llama/binding.ts';
import type { Ggml } from '../../llama/ggml.ts';
import type { GgufHeader, TensorInfo } from '../../models/ggufHeader.ts';
import { towerShapes, type VisionHyperparameters } from '../../models/vision.ts';
import { fromFloats, toFloats } from './convert.ts';
import { kernelFor, type MatmulKernel, packPanels } from './kernel/matmulKernel.ts';
import { storedType, type WeightType, weightTypeId, weightTypes } from './weightType.ts';

/** [3 x patchSize x patchSize, hidden] in f32: the sum of both temporal kernels, see `loadTowerWeights`. */
export const patchKernel = 'v.patch_embd.weight';
const secondPatchKernel = 'v.patch_embd.weight.1';
const positionTable = 'v.position_embd.weight';

/** The tower's tensors on a backend. Owns their context and buffer; graphs that use them must be freed before. */
export interface TowerWeights {
  /** By the names of the mmproj file; the second patch kernel and the position table are not among them. */
  readonly tensors: ReadonlyMap<string, Pointer>;
  /** Matrices that lie as a kernel of ours reads them, by name. */
  readonly packed: ReadonlyMap<string, PackedMatrix>;
  /** Learned positions on this side, [side x side, hidden], resampled for every grid. */
  readonly positionTable: Float32Array;
  /** Bytes on the backend. */
  readonly bytes: number;
  dispose(): void;
}

export interface PackedMatrix {
  readonly kernel: MatmulKernel;
  readonly inner: number;
  readonly outer: number;
}

/** The type most of a file's tower is stored in, as its first attention matrix has it. */
export function fileWeightType(header: GgufHeader): WeightType {
  return readableType(header, tensorInfo(header, 'v.blk.0.attn_qkv.weight'));
}

/**
 * Reads the tower tensor by tensor and holds its matrices as `weightType` (or f16, see `storedType`).
 *
 * A still picture fills both frames of the patch convolution with the same pixels, so its two kernels are added once
 * here and the convolution is one matmul.
 *
 * @param kernels used for matrices of their type that fit them, best first
 * @throws AfterimageError model_metadata_invalid for a tensor type that cannot be read, model_load_failed
 */
export async function loadTowerWeights(
  ggml: Ggml,
  backend: Backend,
  header: GgufHeader,
  vision: VisionHyperparameters,
  weightType: WeightType,
  kernels: readonly MatmulKernel[],
): Promise<TowerWeights> {
  const shapes = [...towerShapes(vision)].filter(
    ([name]) => name !== secondPatchKernel && name !== positionTable,
  );
  const context = ggml.ggml_init({
    mem_size: ggml.ggml_tensor_overhead() * shapes.length,
    mem_buffer: null,
    no_alloc: true,
  });
  const placed = shapes.map(([name, shape]) => {
    const row = name === patchKernel ? 3 * vision.patchSize ** 2 : (shape[0] as number);
    const rows = name === patchKernel ? vision.hidden : (shape[1] ?? 1);
    const type = shape.length === 2 ? storedType(weightType, name, row) : 'f32';
    const kernel = kernelFor(kernels, type, row, rows);
    return {
      name,
      row,
      rows,
      type,
      kernel,
      tensor: ggml.ggml_new_tensor_2d(context, weightTypeId[type], row, rows),
    };
  });
  const buffer = ggml.ggml_backend_alloc_ctx_tensors_from_buft(context, backend.bufferType);
  const dispose = () => {
    if (buffer) ggml.ggml_backend_buffer_free(buffer);
    ggml.ggml_free(context);
  };
  try {
    if (!buffer) {
      const reason = `${backend.deviceName} has no room for the vision weights`;
      throw failure('model_load_failed', { path: header.path, reason });
    }
    await using file = await open(header.path, 'r');
    const source = new TowerFile(ggml, header, file);
    const packedBytes = placed.map(({ kernel, tensor }) => (kernel ? ggml.ggml_nbytes(tensor) : 0));
    const packed = new Uint8Array(Math.max(...packedBytes));
    for (const { name, row, rows, type, kernel, tensor } of placed) {
      const bytes = name === patchKernel ? await source.patchKernel() : await source.encoded(name, type, row);
      const expected = ggml.ggml_nbytes(tensor);
      if (bytes.length !== expected)
        throw new Error(`${name}: ${bytes.length} bytes, ggml wants ${expected}`);
      if (kernel) packPanels(kernel, bytes, row, rows, packed);
      ggml.ggml_backend_tensor_set(tensor, kernel ? packed : bytes, 0, expected);
    }
    return {
      tensors: new Map(placed.map(({ name, tensor }) => [name, tensor])),
      packed: new Map(
        placed.flatMap(({ name, kernel, row: inner, rows: outer }) =>
          kernel ? [[name, { kernel, inner, outer }]] : [],
        ),
      ),
      positionTable: await source.floats(positionTable),
      bytes: ggml.ggml_backend_buffer_get_size(buffer),
      dispose: once(dispose),
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The tower's tensors in an open mmproj file, one in memory at a time. */
class TowerFile {
  private readonly ggml: Ggml;
  private readonly header: GgufHeader;
  private readonly file: FileHandle;

  constructor(ggml: Ggml, header: GgufHeader, file: FileHandle) {
    this.ggml = ggml;
    this.header = header;
    this.file = file;
  }

  async encoded(name: string, type: WeightType, rowElements: number): Promise<Uint8Array<ArrayBuffer>> {
    const info = tensorInfo(this.header, name);
    if (readableType(this.header, info) === type) return this.read(info);
    return fromFloats(this.ggml, type, await this.floats(name), rowElements);
  }

  async floats(name: string): Promise<Float32Array<ArrayBuffer>> {
    const info = tensorInfo(this.header, name);
    const count = info.shape.reduce((product, side) => product * side, 1);
    return toFloats(this.ggml, readableType(this.header, info), await this.read(info), count);
  }

  async patchKernel(): Promise<Uint8Array<ArrayBuffer>> {
    const sum = await this.floats(patchKernel);
    const second = await this.floats(secondPatchKernel);
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (second[i] as number);
    return new Uint8Array(sum.buffer);
  }

  private async read(info: TensorInfo): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(info.bytes);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await this.file.read(bytes, filled, bytes.length - filled, info.offset + filled);
      if (bytesRead === 0) {
        const { path } = this.header;
        const needed = info.offset + info.bytes;
        throw failure('model_file_truncated', { path, bytes: info.offset + filled, needed });
      }
      filled += bytesRead;
    }
    return bytes;
  }
}

function tensorInfo(header: GgufHeader, name: string): TensorInfo {
  const info = header.tensors.get(name);
  if (info) return info;
  throw failure('model_metadata_invalid', { path: header.path, field: `tensor ${name}`, problem: 'missing' });
}

function readableType({ path }: GgufHeader, { name, type }: TensorInfo): WeightType {
  const readable = weightTypes.find((candidate) => candidate === type.name);
  if (readable) return readable;
  const problem = `of type ${type.name}, the vision encoder reads ${weightTypes.join(', ')}`;
  throw failure('model_metadata_invalid', { path, field: `tensor ${name}`, problem });
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
