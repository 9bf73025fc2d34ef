import { addressOf, type Pointer } from '../../../llama/binding.ts';
import { type Ggml, ggmlType } from '../../../llama/ggml.ts';
import type { MatmulShape } from './block.ts';
import { ExecutableCode } from './executableCode.ts';
import { argumentWord, argumentWords, matmulCode } from './matmulCode.ts';
import type { MatmulKernel } from './matmulKernel.ts';
import { allowTiles } from './tilePermission.ts';

/** `GGML_N_TASKS_MAX`: every thread of the graph. */
const everyThread = -1;
/** Small typed arrays, of 64 bytes by default, live inside the JavaScript heap, where the collector moves them. */
const minWords = 512;

interface Bound {
  readonly words: number;
  readonly weights: Pointer;
  readonly bias: Pointer;
  readonly input: Pointer;
  readonly output: Pointer;
}

/**
 * Nodes of ggml graphs that run a kernel's own code: `output = bias + weights * input`. Owns that code and its arguments; graphs with its
 * nodes must not run after `dispose`.
 */
export class Linears {
  readonly #ggml: Ggml;
  readonly #codes = new Map<string, ExecutableCode>();
  readonly #arguments: BigUint64Array;
  readonly #bound: Bound[] = [];

  /** @param nodes at most so many */
  constructor(ggml: Ggml, nodes: number) {
    this.#ggml = ggml;
    this.#arguments = new BigUint64Array(Math.max(minWords, nodes * argumentWords));
  }

  /**
   * Weights packed by `packPanels`; bias f32 [outer]; input f32 [inner, columns], whole columns one after another. Gives f32
   * [outer, columns].
   * @throws engine_failed when the system lends no memory for code, or no AMX
   */
  node(
    context: Pointer,
    kernel: MatmulKernel,
    shape: MatmulShape,
    { weights, bias, input }: { weights: Pointer; bias: Pointer; input: Pointer },
  ): Pointer {
    const ggml = this.#ggml;
    const words = this.#bound.length * argumentWords;
    if (words + argumentWords > this.#arguments.length)
      throw new RangeError('more nodes than there is room for');
    const taken = kernel.weightType === 'bf16' ? ggml.ggml_cast(context, input, ggmlType.BF16) : input;
    const output = ggml.ggml_custom_4d(
      context,
      ggmlType.F32,
      shape.outer,
      shape.columns,
      1,
      1,
      BigUint64Array.of(taken),
      1,
      this.#codeFor(kernel, shape),
      everyThread,
      addressOf(this.#arguments) + BigInt(words * 8),
    );
    this.#bound.push({ words, weights, bias, input: taken, output });
    return output;
  }

  /** Once the graphs have their places in memory. */
  bind(): void {
    for (const { words, ...tensors } of this.#bound) {
      for (const name of ['weights', 'bias', 'input', 'output'] as const) {
        this.#arguments[words + argumentWord[name]] = this.#ggml.ggml_get_data(tensors[name]);
      }
    }
  }

  /** Before each run of a graph. */
  reset(): void {
    for (const { words } of this.#bound) this.#arguments[words + argumentWord.nextJob] = 0n;
  }

  dispose(): void {
    for (const code of this.#codes.values()) code.dispose();
    this.#codes.clear();
  }

  #codeFor(kernel: MatmulKernel, shape: MatmulShape): Pointer {
    const key = `${kernel.name} ${shape.inner} ${shape.outer} ${shape.columns}`;
    let code = this.#codes.get(key);
    if (!code) {
      if (kernel.usesTiles) allowTiles();
      code = new ExecutableCode(matmulCode(kernel, shape));
      this.#codes.set(key, code);
    }
    return code.pointer;
  }
}
