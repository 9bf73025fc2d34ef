import type { Backend } from '../../llama/backend.ts';
import type { Native } from '../../llama/native.ts';
import type { ModelPair } from '../../models/pair.ts';
import { supportsFlashAttention } from './flashAttention.ts';
import { defaultGridCacheLimits, GridCache, type GridCacheLimits } from './gridCache.ts';
import { kernelsFor, type MatmulKernel } from './kernel/matmulKernel.ts';
import { patchGrid } from './patches.ts';
import { chooseWeightType, type ProbeGflops, probeMatmul } from './probe.ts';
import type { Tower, TowerGrid } from './tower.ts';
import { fileWeightType, loadTowerWeights } from './weights.ts';
import { type WeightType, weightTypes } from './weightType.ts';
import { workingKernels } from './workingKernels.ts';

export interface VisionEncoderOptions {
  /** Default: chosen by a short probe at load, see `chooseWeightType`. */
  readonly weightType?: WeightType;
  readonly gridCache?: GridCacheLimits;
  /** Matmul kernels that may be used. Default: those for this machine; none: the library's. */
  readonly kernels?: readonly MatmulKernel[];
}

/** Canonical pixels; both sides are multiples of patchSize x mergeSize, `rgb` is width x height x 3 bytes. */
export interface EncoderImage {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/**
 * Turns pictures into features, [tokens, featureWidth]. Owns the tower's weights and graphs; the backend is lent and
 * must outlive it.
 *
 * A backend runs one graph at a time: never step two jobs at once, nor one job while the same backend does other work.
 */
export class VisionEncoder {
  readonly weightType: WeightType;
  /** Measured GFLOP/s by weight type; empty when the type was given. */
  readonly probeGflops: ProbeGflops;
  /** Names of the kernels of ours that its matmuls run on; none: the library's. */
  readonly kernels: readonly string[];
  /** Why kernels for this CPU are not used. */
  readonly kernelProblems: readonly string[];
  /** projectionDim x (1 + DeepStack layers). */
  readonly featureWidth: number;
  private readonly tower: Tower;
  private readonly grids: GridCache;

  /**
   * Loads the tower off the event loop, but for laying out one matrix after another (0.2 s at most).
   * @throws AfterimageError model_* rows, engine_failed
   */
  static async load(
    { ggml, systemInfo }: Pick<Native, 'ggml' | 'systemInfo'>,
    backend: Backend,
    { vision, visionHeader }: Pick<ModelPair, 'vision' | 'visionHeader'>,
    options: VisionEncoderOptions = {},
  ): Promise<VisionEncoder> {
    const own = fileWeightType(visionHeader);
    const shape = { inner: vision.hidden, outer: vision.feedForward };
    const candidates = weightTypes.filter((type) => type !== 'f32' || own === 'f32');
    const candidateKernels = backend.isGpu ? [] : (options.kernels ?? kernelsFor(systemInfo));
    const { working: kernels, problems } = await workingKernels(ggml, backend, candidateKernels);
    const probeGflops = options.weightType
      ? {}
      : await probeMatmul(ggml, backend, shape, candidates, kernels);
    const weightType = options.weightType ?? chooseWeightType(own, probeGflops, kernels);
    const weights = await loadTowerWeights(ggml, backend, visionHeader, vision, weightType, kernels);
    const flashAttention = supportsFlashAttention(ggml, backend, vision);
    const tower = { ggml, backend, vision, weights, flashAttention };
    const limits = options.gridCache ?? defaultGridCacheLimits;
    return new VisionEncoder(tower, { weightType, probeGflops, kernelProblems: problems }, limits);
  }

  private constructor(
    tower: Tower,
    chosen: Pick<VisionEncoder, 'weightType' | 'probeGflops' | 'kernelProblems'>,
    limits: GridCacheLimits,
  ) {
    this.tower = tower;
    this.weightType = chosen.weightType;
    this.probeGflops = chosen.probeGflops;
    this.kernelProblems = chosen.kernelProblems;
    this.kernels = [...new Set([...tower.weights.packed.values()].map(({ kernel }) => kernel.name))];
    this.featureWidth = tower.vision.projectionDim * (1 + tower.vision.deepstackLayers.length);
    this.grids = new GridCache(tower, limits);
  }

  /** Native bytes: weights, and graphs' buffers of the picture sizes used last. */
  get memory(): { weightBytes: number; gridBytes: number; grids: number } {
    return { weightBytes: this.tower.weights.bytes, gridBytes: this.grids.bytes, grids: this.grids.size };
  }

  /**
   * Prepares an encode; the first picture of a size also builds its graphs (milliseconds).
   * @throws Error while another job of the same size is open, RangeError for impossible sides or a wrong byte count
   */
  begin({ width, height, rgb }: EncoderImage): EncodeJob {
    const { vision } = this.tower;
    if (rgb.length !== width * height * 3)
      throw new RangeError(`${rgb.length} bytes for ${width}x${height} px`);
    const patches = patchGrid(width, height, vision);
    const grid = this.grids.acquire(patches);
    return new EncodeJob(
      grid,
      rgb,
      { columns: patches.columns / vision.mergeSize, rows: patches.rows / vision.mergeSize },
      () => this.grids.release(grid),
    );
  }

  /** Idempotent. @throws Error while a job is open */
  dispose(): void {
    this.grids.dispose();
    this.tower.weights.dispose();
  }
}

/** One picture on its way through the tower. It borrows a grid until it is disposed, at any point. */
export class EncodeJob {
  /** Merged tokens per row of the picture. */
  readonly columns: number;
  readonly rows: number;
  readonly sliceCount: number;
  private readonly grid: TowerGrid;
  private readonly rgb: Uint8Array;
  private readonly release: () => void;
  private slice = 0;
  private running = false;
  private disposed = false;

  constructor(
    grid: TowerGrid,
    rgb: Uint8Array,
    size: { columns: number; rows: number },
    release: () => void,
  ) {
    this.grid = grid;
    this.rgb = rgb;
    this.columns = size.columns;
    this.rows = size.rows;
    this.sliceCount = grid.sliceCount;
    this.release = release;
  }

  /** Runs the next slice off the event loop; true when it was the last. @throws AfterimageError engine_failed */
  async step(): Promise<boolean> {
    if (this.disposed || this.running || this.slice === this.sliceCount) {
      throw new Error('this encode is disposed, running or finished');
    }
    this.running = true;
    try {
      await this.grid.run(this.slice, this.rgb);
    } finally {
      this.running = false;
      if (this.disposed) this.release();
    }
    this.slice += 1;
    return this.slice === this.sliceCount;
  }

  /** [tokens, featureWidth], row by row of the picture; per token the main features, then DeepStack 0, 1, ... */
  features(): Float32Array {
    if (this.disposed || this.slice < this.sliceCount) throw new Error('this encode is not finished');
    return this.grid.features();
  }

  /** Gives the grid back, after the slice that is running now if there is one. Idempotent. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    if (!this.running) this.release();
  }
}
