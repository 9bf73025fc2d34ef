/** Sizes of a Qwen3-VL model, as its `config.json` has them. */
export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** Rotary frequencies given to time, rows and columns. */
  readonly ropeSections: readonly [number, number, number];
  /** Whether the output matrix is the token embedding. */
  readonly tied: boolean;
  readonly vocabulary: number;
  readonly contextTokens: number;
  /** Of a mixture of experts; a dense model has none. */
  readonly experts?: {
    readonly count: number;
    /** How many of them each token goes through. */
    readonly used: number;
    readonly feedForward: number;
  };
  readonly vision: {
    readonly layers: number;
    readonly hidden: number;
    readonly feedForward: number;
    readonly heads: number;
    /** Ascending, 0-based. */
    readonly deepstackLayers: readonly number[];
    readonly positionGridSide: number;
  };
}

const released = {
  heads: 32,
  kvHeads: 8,
  headSize: 128,
  ropeSections: [24, 20, 20],
  vocabulary: 151_936,
  contextTokens: 262_144,
} as const;

const smallTower = {
  layers: 24,
  hidden: 1024,
  feedForward: 4096,
  heads: 16,
  deepstackLayers: [5, 11, 17],
  positionGridSide: 48,
} as const;

const largeTower = {
  layers: 27,
  hidden: 1152,
  feedForward: 4304,
  heads: 16,
  deepstackLayers: [8, 16, 24],
  positionGridSide: 48,
} as const;

/** From the `config.json` files of Qwen/Qwen3-VL-{2B,4B,8B}-Instruct. */
export const modelShapes: Readonly<Record<'2b' | '4b' | '8b', ModelShape>> = {
  '2b': {
    ...released,
    layers: 28,
    hidden: 2048,
    feedForward: 6144,
    heads: 16,
    tied: true,
    vision: smallTower,
  },
  '4b': { ...released, layers: 36, hidden: 2560, feedForward: 9728, tied: true, vision: smallTower },
  '8b': { ...released, layers: 36, hidden: 4096, feedForward: 12_288, tied: false, vision: largeTower },
};

/**
 * The same widths with at most `depth` layers on both sides. DeepStack layers are spread over the shorter tower; there
 * are fewer of them when it has not enough layers.
 */
export function cutToDepth(shape: ModelShape, depth: number): ModelShape {
  const layers = Math.min(depth, shape.layers);
  const towerLayers = Math.min(depth, shape.vision.layers);
  const scale = towerLayers / shape.vision.layers;
  const deepstackLayers = [
    ...new Set(shape.vision.deepstackLayers.map((layer) => Math.floor(layer * scale))),
  ];
  return { ...shape, layers, vision: { ...shape.vision, layers: towerLayers, deepstackLayers } };
}
