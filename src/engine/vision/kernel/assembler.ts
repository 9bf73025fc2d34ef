import { addressed, inverted, littleEndian, type Memory, modRm, rexOf, ripRelative } from './operands.ts';

/** A place in the code. */
export interface Label {
  at: number | undefined;
  /** Where 32-bit distances to it are still missing. */
  readonly missing: number[];
}

const condition = { below: 0x2, aboveOrEqual: 0x3, equal: 0x4, notEqual: 0x5 } as const;

/** The mandatory prefix of an instruction, as VEX and EVEX number it. */
const prefixOf = { none: 0, x66: 1, xF3: 2, xF2: 3 } as const;

/** The second source, inverted (0: none), and the prefix, as VEX and EVEX hold them. */
const sourceAndPrefix = (source: number, prefix: keyof typeof prefixOf): number =>
  ((~source & 0xf) << 3) | prefixOf[prefix];

interface VectorInstruction {
  /** 1: 0F, 2: 0F38. */
  readonly map: 1 | 2;
  readonly prefix: keyof typeof prefixOf;
  readonly opcode: number;
  readonly reg: number;
  readonly source?: number;
  readonly rm: number | Memory;
  /** Bytes of the memory operand. */
  readonly operandBytes: number;
}

/**
 * Writes x86-64 machine code: only the instructions of `matmulCode`. Encodings are those of Intel's Software Developer's Manual,
 * volume 2: VEX for vectors of 256 bits (registers 0 to 15), EVEX for 512 (0 to 31).
 */
export class Assembler {
  readonly #bytes: number[] = [];
  readonly #labels: Label[] = [];
  readonly #vectorBytes: 32 | 64;

  constructor(vectorBytes: 32 | 64) {
    this.#vectorBytes = vectorBytes;
  }

  /** @throws Error when a label was used and never placed */
  code(): Uint8Array<ArrayBuffer> {
    if (this.#labels.some(({ missing }) => missing.length > 0)) throw new Error('a label was never placed');
    return Uint8Array.from(this.#bytes);
  }

  label(): Label {
    const label: Label = { at: undefined, missing: [] };
    this.#labels.push(label);
    return label;
  }

  place(label: Label): void {
    label.at = this.#bytes.length;
    for (const at of label.missing.splice(0)) this.#patch(at, label.at);
  }

  jump(label: Label): void {
    this.#emit(0xe9);
    this.#distance(label);
  }

  jumpIf(when: keyof typeof condition, label: Label): void {
    this.#emit(0x0f, 0x80 + condition[when]);
    this.#distance(label);
  }

  push(register: number): void {
    this.#emit(0x40 | (register >> 3), 0x50 | (register & 7));
  }

  pop(register: number): void {
    this.#emit(0x40 | (register >> 3), 0x58 | (register & 7));
  }

  /** Zero-extended to 64 bits. */
  setImmediate(register: number, value: number): void {
    this.#emit(0x40 | (register >> 3), 0xb8 | (register & 7), ...littleEndian(value));
  }

  move(to: number, from: number): void {
    this.#wide(0x89, from, to);
  }

  load(to: number, from: Memory): void {
    this.#emit(0x48 | rexOf(to, from), 0x8b, ...addressed(to, from, 1));
  }

  add(to: number, from: number): void {
    this.#wide(0x01, from, to);
  }

  addImmediate(to: number, value: number): void {
    this.#wide(0x81, 0, to);
    this.#emit(...littleEndian(value));
  }

  subtractImmediate(to: number, value: number): void {
    this.#wide(0x81, 5, to);
    this.#emit(...littleEndian(value));
  }

  compareImmediate(register: number, value: number): void {
    this.#wide(0x81, 7, register);
    this.#emit(...littleEndian(value));
  }

  /** `to = from * value` */
  multiplyImmediate(to: number, from: number, value: number): void {
    this.#wide(0x69, to, from);
    this.#emit(...littleEndian(value));
  }

  /** 32 bits: `eax = edx:eax / register`, `edx` the rest. */
  divide(register: number): void {
    this.#emit(0x40 | (register >> 3), 0xf7, 0xf0 | (register & 7));
  }

  /** 32 bits, atomic: adds `register` to memory and gives in it what was there. */
  fetchAdd(at: Memory, register: number): void {
    this.#emit(0xf0, 0x40 | rexOf(register, at), 0x0f, 0xc1, ...addressed(register, at, 1));
  }

  /** Ends a function that used vector registers. */
  leave(): void {
    this.#emit(0xc5, 0xf8, 0x77, 0xc3);
  }

  /** `vmovups`: a vector of f32. */
  loadVector(to: number, from: Memory): void {
    const operandBytes = this.#vectorBytes;
    this.#vector({ map: 1, prefix: 'none', opcode: 0x10, reg: to, rm: from, operandBytes });
  }

  /** `vmovups` */
  storeVector(to: Memory, from: number): void {
    const operandBytes = this.#vectorBytes;
    this.#vector({ map: 1, prefix: 'none', opcode: 0x11, reg: from, rm: to, operandBytes });
  }

  /** `vcvtph2ps`: f16 from memory, to f32. */
  loadHalves(to: number, from: Memory): void {
    const operandBytes = this.#vectorBytes / 2;
    this.#vector({ map: 2, prefix: 'x66', opcode: 0x13, reg: to, rm: from, operandBytes });
  }

  /** `vbroadcastss`: 32 bits from memory to every lane. */
  broadcast(to: number, from: Memory): void {
    this.#vector({ map: 2, prefix: 'x66', opcode: 0x18, reg: to, rm: from, operandBytes: 4 });
  }

  /** `vfmadd231ps`: `sum += left * right`, f32. */
  multiplyAdd(sum: number, left: number, right: number): void {
    this.#vector({ map: 2, prefix: 'x66', opcode: 0xb8, reg: sum, source: left, rm: right, operandBytes: 0 });
  }

  /** `vdpbf16ps` (EVEX only): to each lane of f32 the products of its two pairs of bf16 are added. */
  dotPairs(sum: number, left: number, right: number): void {
    this.#vector({ map: 2, prefix: 'xF3', opcode: 0x52, reg: sum, source: left, rm: right, operandBytes: 0 });
  }

  /** `tileloadd`: `from` is the first row, its index the register with the bytes from one row to the next. */
  loadTile(to: number, from: Memory): void {
    this.#tile('xF2', 0x4b, to, from);
  }

  /** `tilestored`, of f32. */
  storeTile(to: Memory, from: number): void {
    this.#tile('xF3', 0x4b, from, to);
  }

  /** `tdpbf16ps`: `sum += left * right`; rows of `left` and columns of `right` are pairs of bf16, sums f32. */
  multiplyTiles(sum: number, left: number, right: number): void {
    this.#emit(0xc4, 0xe2, sourceAndPrefix(right, 'xF3'), 0x5c, modRm(3, sum, left));
  }

  /** `ldtilecfg`: 64 bytes of shapes. All tiles become 0. */
  configureTiles(from: Memory | Label): void {
    if ('base' in from) {
      this.#tile('none', 0x49, 0, from);
      return;
    }
    this.#emit(0xc4, 0xe2, sourceAndPrefix(0, 'none'), 0x49, modRm(0, 0, ripRelative));
    this.#distance(from);
  }

  /** `sttilecfg` */
  saveTileShapes(to: Memory): void {
    this.#tile('x66', 0x49, 0, to);
  }

  data(bytes: Uint8Array): void {
    this.#emit(...bytes);
  }

  #tile(prefix: keyof typeof prefixOf, opcode: number, reg: number, memory: Memory): void {
    const registers = 0x80 | inverted((memory.index ?? 0) >> 3, 6) | inverted(memory.base >> 3, 5);
    const operand = addressed(reg, memory, 1);
    this.#emit(0xc4, registers | 2, sourceAndPrefix(0, prefix), opcode, ...operand);
  }

  #vector({ map, prefix, opcode, reg, source = 0, rm, operandBytes }: VectorInstruction): void {
    const isWide = this.#vectorBytes === 64;
    const isMemory = typeof rm === 'object';
    const index = isMemory ? (rm.index ?? 0) >> 3 : rm >> 4;
    const base = (isMemory ? rm.base : rm) >> 3;
    const registers = inverted(reg >> 3, 7) | inverted(index, 6) | inverted(base, 5);
    const second = sourceAndPrefix(source, prefix) | 0x04;
    if (isWide) {
      const third = 0x40 | inverted(source >> 4, 3);
      this.#emit(0x62, registers | inverted(reg >> 4, 4) | map, second, third);
    } else this.#emit(0xc4, registers | map, second);
    // EVEX counts short displacements in operands.
    const operand = isMemory ? addressed(reg, rm, isWide ? operandBytes : 1) : [modRm(3, reg, rm)];
    this.#emit(opcode, ...operand);
  }

  /** An instruction on 64-bit registers. */
  #wide(opcode: number, reg: number, rm: number): void {
    this.#emit(0x48 | ((reg >> 3) << 2) | (rm >> 3), opcode, modRm(3, reg, rm));
  }

  #distance(label: Label): void {
    const at = this.#bytes.length;
    this.#emit(0, 0, 0, 0);
    if (label.at === undefined) label.missing.push(at);
    else this.#patch(at, label.at);
  }

  #patch(at: number, target: number): void {
    this.#bytes.splice(at, 4, ...littleEndian(target - (at + 4)));
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }
}
