/**
 * Bicubic resizing (a = -0.5) with antialiasing, equal byte for byte to Pillow's `resize(..., BICUBIC)`, which the
 * reference image processor uses. Source of the arithmetic: Pillow, `src/libImaging/Resample.c` (8 bits per channel):
 * horizontal pass first, 8-bit pixels between the passes, weights in fixed point with 22 fractional bits.
 */

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

const fractionBits = 22;
const half = 1 << (fractionBits - 1);

/** About 20 ms of work; between two blocks other requests of this process get their turn. */
const multiplicationsPerBlock = 20_000_000;

/** @returns width x height x 3 bytes of RGB */
export async function resizeBicubic(picture: Picture, width: number, height: number): Promise<Uint8Array> {
  const { rgb, width: sourceWidth, height: sourceHeight } = picture;
  const wide =
    width === sourceWidth
      ? rgb
      : await inBlocks(resizeRows, rgb, sourceWidth, width, sourceHeight, taps(sourceWidth, width));
  if (height === sourceHeight) return wide;
  return inBlocks(resizeColumns, wide, width, width, height, taps(sourceHeight, height));
}

interface Taps {
  /** Taps per output pixel; weights of the unused ones are 0. */
  readonly size: number;
  /** First input pixel and number of input pixels of each output pixel. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `size` fixed-point weights per output pixel. */
  readonly weights: Int32Array;
}

function taps(inputSize: number, outputSize: number): Taps {
  const scale = inputSize / outputSize;
  const filterScale = Math.max(1, scale);
  const support = 2 * filterScale;
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * size);
  const exact = new Float64Array(size);
  for (let output = 0; output < outputSize; output++) {
    const center = (output + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const length = Math.min(inputSize, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let tap = 0; tap < length; tap++) {
      const weight = cubic((tap + start - center + 0.5) / filterScale);
      exact[tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < length; tap++) {
      const weight = ((exact[tap] as number) / sum) * (1 << fractionBits);
      weights[output * size + tap] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[output] = start;
    count[output] = length;
  }
  return { size, first, count, weights };
}

/** Keys' cubic convolution kernel, a = -0.5. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Fills output rows `from` to `to`. */
type Pass = (
  input: Uint8Array,
  inputWidth: number,
  output: Uint8ClampedArray,
  outputWidth: number,
  taps: Taps,
  from: number,
  to: number,
) => void;

async function inBlocks(
  pass: Pass,
  input: Uint8Array,
  inputWidth: number,
  outputWidth: number,
  outputHeight: number,
  taps: Taps,
): Promise<Uint8Array> {
  const output = new Uint8ClampedArray(outputWidth * outputHeight * 3);
  const rows = Math.max(1, Math.floor(multiplicationsPerBlock / (outputWidth * 3 * taps.size)));
  for (let from = 0; from < outputHeight; from += rows) {
    if (from > 0) await new Promise(setImmediate);
    pass(input, inputWidth, output, outputWidth, taps, from, Math.min(outputHeight, from + rows));
  }
  return new Uint8Array(output.buffer);
}

// Array reads below are in bounds by construction of the taps; `as number` keeps the loops free of checks.

const resizeRows: Pass = (
  input,
  inputWidth,
  output,
  outputWidth,
  { size, first, count, weights },
  from,
  to,
) => {
  for (let row = from; row < to; row++) {
    let at = row * outputWidth * 3;
    for (let column = 0; column < outputWidth; column++) {
      let pixel = (row * inputWidth + (first[column] as number)) * 3;
      let weightAt = column * size;
      const end = weightAt + (count[column] as number);
      let red = half;
      let green = half;
      let blue = half;
      for (; weightAt < end; weightAt++, pixel += 3) {
        const weight = weights[weightAt] as number;
        red = (red + Math.imul(input[pixel] as number, weight)) | 0;
        green = (green + Math.imul(input[pixel + 1] as number, weight)) | 0;
        blue = (blue + Math.imul(input[pixel + 2] as number, weight)) | 0;
      }
      output[at++] = red >> fractionBits;
      output[at++] = green >> fractionBits;
      output[at++] = blue >> fractionBits;
    }
  }
};

const resizeColumns: Pass = (
  input,
  inputWidth,
  output,
  outputWidth,
  { size, first, count, weights },
  from,
  to,
) => {
  const stride = inputWidth * 3;
  // A row of sums, so that the picture is read along its rows and not across them.
  const sums = new Int32Array(outputWidth * 3);
  for (let row = from; row < to; row++) {
    sums.fill(half);
    for (let tap = 0; tap < (count[row] as number); tap++) {
      const weight = weights[row * size + tap] as number;
      const line = ((first[row] as number) + tap) * stride;
      for (let x = 0; x < stride; x++) {
        sums[x] = (sums[x] as number) + Math.imul(input[line + x] as number, weight);
      }
    }
    const at = row * stride;
    for (let x = 0; x < stride; x++) output[at + x] = (sums[x] as number) >> fractionBits;
  }
};
