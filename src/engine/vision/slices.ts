import type { Pointer } from '../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../llama/ggml.ts';
import type { VisionHyperparameters } from '../../models/vision.ts';
import type { Linears } from './kernel/linears.ts';
import { patchKernel, type TowerWeights } from './weights.ts';

/** Tensors of a grid that outlive a slice. n patches, t = n / mergeSize^2 tokens; innermost side first. */
export interface GridState {
  /** [hidden, n] f32: what one slice hands to the next. */
  readonly hidden: Pointer;
  /** [hidden, n] f32. */
  readonly positionEmbedding: Pointer;
  /** [4 n] i32. */
  readonly rotaryPositions: Pointer;
  /** [projectionDim x (1 + DeepStack layers), t] f32. */
  readonly features: Pointer;
}

/** `GGML_ROPE_TYPE_VISION`: rotates the halves of a head by row and column. */
const ropeTypeVision = 24;
const ropeBase = 10_000;

const floatBytes = 4;

/**
 * Writes down the ggml operations of the Qwen3-VL vision tower (`Qwen3VLVisionModel` of Hugging Face transformers), one
 * slice at a time. Every method gives the node that a graph must compute; nothing is computed here.
 */
export class SliceBuilder {
  private readonly ggml: Ggml;
  private readonly context: Pointer;
  private readonly weights: TowerWeights;
  private readonly vision: VisionHyperparameters;
  private readonly state: GridState;
  private readonly patches: number;
  private readonly flashAttention: boolean;
  private readonly linears: Linears;

  constructor(options: {
    ggml: Ggml;
    /** The caller owns it; it must have room for `nodesPerSlice` nodes per slice. */
    context: Pointer;
    weights: TowerWeights;
    vision: VisionHyperparameters;
    state: GridState;
    patches: number;
    flashAttention: boolean;
    linears: Linears;
  }) {
    this.ggml = options.ggml;
    this.context = options.context;
    this.weights = options.weights;
    this.vision = options.vision;
    this.state = options.state;
    this.patches = options.patches;
    this.flashAttention = options.flashAttention;
    this.linears = options.linears;
  }

  /** Patch embedding and learned positions; `pixels` is [3 x patchSize^2, n] f32. */
  stem(pixels: Pointer): Pointer {
    const { ggml, context } = this;
    const projected = ggml.ggml_mul_mat(context, this.weight(patchKernel), pixels);
    const embedded = ggml.ggml_add(context, projected, this.weight('v.patch_embd.bias'));
    return this.keep(ggml.ggml_add(context, embedded, this.state.positionEmbedding));
  }

  /** One transformer block; a DeepStack layer has a second result, its features. */
  layer(layer: number): Pointer[] {
    const { ggml, context } = this;
    const block = `v.blk.${layer}`;
    const attended = this.attention(block, this.norm(`${block}.ln1`, this.state.hidden));
    const middle = ggml.ggml_add(context, attended, this.state.hidden);
    const widened = ggml.ggml_gelu(
      context,
      this.linear(`${block}.ffn_up`, this.norm(`${block}.ln2`, middle)),
    );
    const out = ggml.ggml_add(context, this.linear(`${block}.ffn_down`, widened), middle);
    const kept = this.keep(out);
    const deepstack = this.vision.deepstackLayers.indexOf(layer);
    if (deepstack < 0) return [kept];
    const merger = `v.deepstack.${layer}`;
    const merged = this.norm(`${merger}.norm`, this.mergePatches(out));
    return [kept, this.project(merged, `${merger}.fc1`, `${merger}.fc2`, 1 + deepstack)];
  }

  /** Unlike the DeepStack mergers it normalises each patch before it joins them. */
  merger(): Pointer {
    const merged = this.mergePatches(this.norm('v.post_ln', this.state.hidden));
    return this.project(merged, 'mm.0', 'mm.2', 0);
  }

  private attention(block: string, input: Pointer): Pointer {
    const { ggml, context, patches } = this;
    const { hidden, heads } = this.vision;
    const headSize = hidden / heads;
    const scale = 1 / Math.sqrt(headSize);
    const qkv = this.linear(`${block}.attn_qkv`, input);
    const part = (index: number) =>
      ggml.ggml_view_3d(
        context,
        qkv,
        headSize,
        heads,
        patches,
        headSize * floatBytes,
        3 * hidden * floatBytes,
        index * hidden * floatBytes,
      );
    const query = ggml.ggml_permute(context, this.rotate(part(0), headSize), 0, 2, 1, 3);
    const key = ggml.ggml_permute(context, this.rotate(part(1), headSize), 0, 2, 1, 3);
    let mixed: Pointer;
    if (this.flashAttention) {
      const halfKey = ggml.ggml_cast(context, key, ggmlType.F16);
      const value = ggml.ggml_permute(context, part(2), 0, 2, 1, 3);
      const halfValue = ggml.ggml_cast(context, value, ggmlType.F16);
      const joined = ggml.ggml_flash_attn_ext(context, query, halfKey, halfValue, null, scale, 0, 0);
      mixed = ggml.ggml_reshape_2d(context, joined, hidden, patches);
    } else {
      const value = ggml.ggml_cont(context, ggml.ggml_permute(context, part(2), 1, 2, 0, 3));
      const scores = ggml.ggml_mul_mat(context, key, query);
      const shares = ggml.ggml_soft_max_ext(context, scores, null, scale, 0);
      const joined = ggml.ggml_permute(context, ggml.ggml_mul_mat(context, value, shares), 0, 2, 1, 3);
      mixed = ggml.ggml_cont_2d(context, joined, hidden, patches);
    }
    return this.linear(`${block}.attn_out`, mixed);
  }

  private rotate(heads: Pointer, headSize: number): Pointer {
    // Four equal sections of the frequencies: row, column, row, column.
    const sections = new Int32Array(4).fill(headSize / 4);
    return this.ggml.ggml_rope_multi(
      this.context,
      heads,
      this.state.rotaryPositions,
      null,
      headSize / 2,
      sections,
      ropeTypeVision,
      0,
      ropeBase,
      1,
      0,
      1,
      0,
      0,
    );
  }

  private mergePatches(input: Pointer): Pointer {
    const area = this.vision.mergeSize ** 2;
    return this.ggml.ggml_reshape_2d(this.context, input, this.vision.hidden * area, this.patches / area);
  }

  /** The mergers' MLP (exact GELU, unlike the blocks' tanh form), written to its columns of the features. */
  private project(merged: Pointer, first: string, second: string, part: number): Pointer {
    const { ggml, context, state } = this;
    const { projectionDim, deepstackLayers, mergeSize } = this.vision;
    const tokens = this.patches / mergeSize ** 2;
    const widened = ggml.ggml_gelu_erf(context, this.linear(first, merged, tokens));
    const projected = this.linear(second, widened, tokens);
    const rowBytes = projectionDim * (1 + deepstackLayers.length) * floatBytes;
    const columns = ggml.ggml_view_2d(
      context,
      state.features,
      projectionDim,
      tokens,
      rowBytes,
      part * projectionDim * floatBytes,
    );
    return ggml.ggml_cpy(context, projected, columns);
  }

  private keep(hidden: Pointer): Pointer {
    return this.ggml.ggml_cpy(this.context, hidden, this.state.hidden);
  }

  private linear(name: string, input: Pointer, columns = this.patches): Pointer {
    const weights = this.weight(`${name}.weight`);
    const bias = this.weight(`${name}.bias`);
    const packed = this.weights.packed.get(`${name}.weight`);
    if (packed) {
      const { kernel, inner, outer } = packed;
      return this.linears.node(this.context, kernel, { inner, outer, columns }, { weights, bias, input });
    }
    return this.ggml.ggml_add(this.context, this.ggml.ggml_mul_mat(this.context, weights, input), bias);
  }

  private norm(name: string, input: Pointer): Pointer {
    const { ggml, context } = this;
    const normed = ggml.ggml_norm(context, input, this.vision.layerNormEps);
    const scaled = ggml.ggml_mul(context, normed, this.weight(`${name}.weight`));
    return ggml.ggml_add(context, scaled, this.weight(`${name}.bias`));
  }

  private weight(name: string): Pointer {
    const tensor = this.weights.tensors.get(name);
    if (tensor === undefined) throw new Error(`the tower has no tensor ${name}`);
    return tensor;
  }
}
