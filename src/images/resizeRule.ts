/** Image patch (16) x spatial merge (2): one image token stands for 32 x 32 pixels. */
const factor = 32;

export type ImageDetail = 'low' | 'auto' | 'high' | 'original';

export interface PixelBudget {
  readonly minPixels: number;
  readonly maxPixels: number;
}

/** One token is 1024 pixels: 8 tokens at least; 256, 1280, 4096 or 16,384 tokens at most. */
export const pixelBudgets: Readonly<Record<ImageDetail, PixelBudget>> = {
  low: { minPixels: 8192, maxPixels: 262_144 },
  auto: { minPixels: 8192, maxPixels: 1_310_720 },
  high: { minPixels: 8192, maxPixels: 4_194_304 },
  original: { minPixels: 8192, maxPixels: 16_777_216 },
};

/**
 * The size in which the model sees a picture: both sides multiples of 32, the aspect ratio about kept, the pixel count
 * within the budget. Source: `smart_resize` of the Qwen3-VL image processor in Hugging Face transformers.
 * Intake has bounded the aspect ratio already.
 */
export function modelSize(
  width: number,
  height: number,
  { minPixels, maxPixels }: PixelBudget,
): { width: number; height: number } {
  const size = {
    width: roundHalfToEven(width / factor) * factor,
    height: roundHalfToEven(height / factor) * factor,
  };
  const pixels = size.width * size.height;
  if (pixels > maxPixels) {
    const beta = Math.sqrt((width * height) / maxPixels);
    const shrink = (side: number) => Math.max(factor, Math.floor(side / beta / factor) * factor);
    return { width: shrink(width), height: shrink(height) };
  }
  if (pixels < minPixels) {
    const beta = Math.sqrt(minPixels / (width * height));
    const grow = (side: number) => Math.ceil((side * beta) / factor) * factor;
    return { width: grow(width), height: grow(height) };
  }
  return size;
}

/** Python's `round`. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
