import { failure } from '../../core/errors.ts';
import type { Backend } from '../../llama/backend.ts';
import { callAsync, type Pointer } from '../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import type { VisionHyperparameters } from '../../models/vision.ts';
import { Linears } from './kernel/linears.ts';
import { cutPatches, type PatchGrid } from './patches.ts';
import { positionEmbedding, rotaryPositions } from './positions.ts';
import { type GridState, SliceBuilder } from './slices.ts';
import type { TowerWeights } from './weights.ts';

/** What every grid of one encoder shares. The encoder owns it all. */
export interface Tower {
  readonly ggml: Ggml;
  readonly backend: Backend;
  readonly vision: VisionHyperparameters;
  readonly weights: TowerWeights;
  readonly flashAttention: boolean;
}

/** Room for the nodes and leafs of one slice's graph; a DeepStack layer has about 60. */
const nodesPerSlice = 128;

/**
 * The tower for one picture size, as graphs that run one after another: stem, layers, merger. What passes between them
 * lies in tensors of its own, so that anything else may happen between two slices. Owns its contexts and buffers.
 */
export class TowerGrid {
  readonly sliceCount: number;
  /** Bytes of native memory. */
  readonly bytes: number;
  private readonly tower: Tower;
  private readonly grid: PatchGrid;
  private readonly slices: Pointer[] = [];
  private readonly state: GridState;
  private readonly pixels: Pointer;
  private readonly releases: (() => void)[] = [];
  private readonly linears: Linears;

  /** @throws AfterimageError engine_failed when the device has no room for it */
  constructor(tower: Tower, grid: PatchGrid) {
    this.tower = tower;
    this.grid = grid;
    const { ggml, backend, vision } = tower;
    const patches = grid.rows * grid.columns;
    this.sliceCount = vision.layers + 2;
    this.linears = new Linears(ggml, tower.weights.packed.size);
    this.releases.push(() => this.linears.dispose());
    try {
      const stateContext = this.context(8 * ggml.ggml_tensor_overhead());
      const matrix = (row: number, rows: number) =>
        ggml.ggml_new_tensor_2d(stateContext, ggmlType.F32, row, rows);
      this.state = {
        hidden: matrix(vision.hidden, patches),
        positionEmbedding: matrix(vision.hidden, patches),
        rotaryPositions: ggml.ggml_new_tensor_1d(stateContext, ggmlType.I32, 4 * patches),
        features: matrix(this.featureWidth(), patches / vision.mergeSize ** 2),
      };
      const buffer = this.room(
        ggml.ggml_backend_alloc_ctx_tensors_from_buft(stateContext, backend.bufferType),
      );
      this.releases.push(() => ggml.ggml_backend_buffer_free(buffer));

      const sliceBytes =
        nodesPerSlice * ggml.ggml_tensor_overhead() + ggml.ggml_graph_overhead_custom(nodesPerSlice, false);
      const context = this.context(sliceBytes * this.sliceCount);
      this.pixels = ggml.ggml_new_tensor_2d(context, ggmlType.F32, 3 * vision.patchSize ** 2, patches);
      ggml.ggml_set_input(this.pixels);
      const builder = new SliceBuilder({
        ...tower,
        context,
        state: this.state,
        patches,
        linears: this.linears,
      });
      this.addSlice(context, [builder.stem(this.pixels)]);
      for (let layer = 0; layer < vision.layers; layer++) this.addSlice(context, builder.layer(layer));
      this.addSlice(context, [builder.merger()]);

      this.bytes = ggml.ggml_backend_buffer_get_size(buffer) + this.allocateSlices();
      this.linears.bind();
      this.upload(
        this.state.positionEmbedding,
        positionEmbedding(
          tower.weights.positionTable,
          vision.positionGridSide,
          vision.hidden,
          grid,
          vision.mergeSize,
        ),
      );
      this.upload(this.state.rotaryPositions, rotaryPositions(grid, vision.mergeSize));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Runs slice 0 to `sliceCount` - 1, in this order; `rgb` is for slice 0. @throws AfterimageError engine_failed */
  async run(slice: number, rgb: Uint8Array): Promise<void> {
    const { ggml, backend, vision } = this.tower;
    // The pixels lie in the buffer that all slices share, so they are good for the stem only.
    if (slice === 0) this.upload(this.pixels, cutPatches(rgb, this.grid, vision));
    const graph = this.slices[slice];
    if (graph === undefined) throw new RangeError(`slice ${slice} of ${this.sliceCount}`);
    this.linears.reset();
    const status = await callAsync(ggml.ggml_backend_graph_compute, backend.pointer, graph);
    if (status !== 0) {
      throw failure('engine_failed', { reason: `vision slice ${slice} ended with ggml status ${status}` });
    }
  }

  /** [tokens, projectionDim x (1 + DeepStack layers)]: of each token the main features first. */
  features(): Float32Array {
    const { ggml, vision } = this.tower;
    const tokens = (this.grid.rows * this.grid.columns) / vision.mergeSize ** 2;
    const features = new Float32Array(tokens * this.featureWidth());
    ggml.ggml_backend_tensor_get(this.state.features, features, 0, features.byteLength);
    return features;
  }

  dispose(): void {
    for (const release of this.releases.splice(0).reverse()) release();
  }

  private featureWidth(): number {
    return this.tower.vision.projectionDim * (1 + this.tower.vision.deepstackLayers.length);
  }

  private addSlice(context: Pointer, results: readonly Pointer[]): void {
    const { ggml } = this.tower;
    const graph = ggml.ggml_new_graph_custom(context, nodesPerSlice, false);
    for (const result of results) ggml.ggml_build_forward_expand(graph, result);
    this.slices.push(graph);
  }

  /**
   * Places the intermediates of all slices in one buffer, which is as large as the largest needs. Reserving all of them
   * first keeps the buffer from moving while they are placed: graphs placed before would be left behind.
   */
  private allocateSlices(): number {
    const { ggml, backend } = this.tower;
    const allocator = ggml.ggml_gallocr_new(backend.bufferType);
    this.releases.push(() => ggml.ggml_gallocr_free(allocator));
    for (const graph of this.slices) this.room(ggml.ggml_gallocr_reserve(allocator, graph));
    const bytes = ggml.ggml_gallocr_get_buffer_size(allocator, 0);
    for (const graph of this.slices) this.room(ggml.ggml_gallocr_alloc_graph(allocator, graph));
    if (ggml.ggml_gallocr_get_buffer_size(allocator, 0) !== bytes)
      throw new Error('the compute buffer moved');
    return bytes;
  }

  private context(bytes: number): Pointer {
    const { ggml } = this.tower;
    const context = ggml.ggml_init({ mem_size: bytes, mem_buffer: null, no_alloc: true });
    this.releases.push(() => ggml.ggml_free(context));
    return context;
  }

  private room<Result extends Pointer | boolean>(result: Result): Result {
    if (result) return result;
    const { rows, columns } = this.grid;
    const reason = `${this.tower.backend.deviceName} has no room to encode ${columns}x${rows} patches`;
    throw failure('engine_failed', { reason });
  }

  private upload(tensor: Pointer, values: Float32Array | Int32Array): void {
    this.tower.ggml.ggml_backend_tensor_set(tensor, values, 0, values.byteLength);
  }
}
