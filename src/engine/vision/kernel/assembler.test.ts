import { expect, test } from 'vitest';
import { Assembler } from './assembler.ts';
import { gpr } from './operands.ts';

const { rax, rcx, rbx, rbp, rsp, rsi, r8, r9, r10, r12, r13, r15 } = gpr;

const codeOf = (vectorBytes: 32 | 64, write: (asm: Assembler) => void): string => {
  const asm = new Assembler(vectorBytes);
  write(asm);
  return Buffer.from(asm.code()).toString('hex');
};

// What objdump 2.40 makes of these bytes stands beside them.
const general: [string, string, (asm: Assembler) => void][] = [
  ['push rbx', '4053', (asm) => asm.push(rbx)],
  ['push r15', '4157', (asm) => asm.push(r15)],
  ['pop r12', '415c', (asm) => asm.pop(r12)],
  ['mov eax, 1', '40b801000000', (asm) => asm.setImmediate(rax, 1)],
  ['mov r12d, 784', '41bc10030000', (asm) => asm.setImmediate(r12, 784)],
  ['mov r15, rcx', '4989cf', (asm) => asm.move(r15, rcx)],
  ['mov rcx, [r15+24]', '498b4f18', (asm) => asm.load(rcx, { base: r15, displacement: 24 })],
  ['mov rcx, [r12+8]', '498b4c2408', (asm) => asm.load(rcx, { base: r12, displacement: 8 })],
  ['add rsi, rcx', '4801ce', (asm) => asm.add(rsi, rcx)],
  ['add r8, rcx', '4901c8', (asm) => asm.add(r8, rcx)],
  ['add r10, 512', '4981c200020000', (asm) => asm.addImmediate(r10, 512)],
  ['sub rcx, 4', '4881e904000000', (asm) => asm.subtractImmediate(rcx, 4)],
  ['cmp r12, 12', '4981fc0c000000', (asm) => asm.compareImmediate(r12, 12)],
  ['imul r8, rax, 245760', '4c69c000c00300', (asm) => asm.multiplyImmediate(r8, rax, 245_760)],
  ['imul r12, rax, -120', '4c69e088ffffff', (asm) => asm.multiplyImmediate(r12, rax, -120)],
  ['div ecx', '40f7f1', (asm) => asm.divide(rcx)],
  ['lock xadd [r15+32], eax', 'f0410fc14720', (asm) => asm.fetchAdd({ base: r15, displacement: 32 }, rax)],
  ['vzeroupper; ret', 'c5f877c3', (asm) => asm.leave()],
];

const wide: [string, string, (asm: Assembler) => void][] = [
  ['vmovups zmm31, [rbx+64]', '62617c48107b01', (asm) => asm.loadVector(31, { base: rbx, displacement: 64 })],
  [
    'vmovups zmm0, [r10+3]',
    '62d17c48108203000000',
    (asm) => asm.loadVector(0, { base: r10, displacement: 3 }),
  ],
  [
    'vmovups zmm1, [r12+16384]',
    '62d17c48108c2400400000',
    (asm) => asm.loadVector(1, { base: r12, displacement: 16_384 }),
  ],
  ['vmovups [rax], zmm31', '62617c48117800', (asm) => asm.storeVector({ base: rax }, 31)],
  ['vcvtph2ps zmm1, [r10+96]', '62d27d48134a03', (asm) => asm.loadHalves(1, { base: r10, displacement: 96 })],
  [
    'vbroadcastss zmm3, [rbp+12]',
    '62f27d48185d03',
    (asm) => asm.broadcast(3, { base: rbp, displacement: 12 }),
  ],
  [
    'vbroadcastss zmm2, [r13+r9*2+4]',
    '62927d4818544d01',
    (asm) => asm.broadcast(2, { base: r13, index: r9, scale: 2, displacement: 4 }),
  ],
  ['vbroadcastss zmm31, [rbx+r9]', '62227d48187c0b00', (asm) => asm.broadcast(31, { base: rbx, index: r9 })],
  ['vfmadd231ps zmm31, zmm1, zmm3', '62627548b8fb', (asm) => asm.multiplyAdd(31, 1, 3)],
  ['vfmadd231ps zmm4, zmm0, zmm31', '62927d48b8e7', (asm) => asm.multiplyAdd(4, 0, 31)],
  ['vfmadd231ps zmm4, zmm31, zmm2', '62f20540b8e2', (asm) => asm.multiplyAdd(4, 31, 2)],
  ['vdpbf16ps zmm31, zmm1, zmm3', '6262764852fb', (asm) => asm.dotPairs(31, 1, 3)],
  ['vdpbf16ps zmm8, zmm20, zmm19', '62325e4052c3', (asm) => asm.dotPairs(8, 20, 19)],
];

const tiles: [string, string, (asm: Assembler) => void][] = [
  ['sttilecfg [rsp]', 'c4e27949442400', (asm) => asm.saveTileShapes({ base: rsp })],
  ['ldtilecfg [rsp]', 'c4e27849442400', (asm) => asm.configureTiles({ base: rsp })],
  ['ldtilecfg [r13+64]', 'c4c278494540', (asm) => asm.configureTiles({ base: r13, displacement: 64 })],
  ['tileloadd tmm5, [r13+r9]', 'c4827b4b6c0d00', (asm) => asm.loadTile(5, { base: r13, index: r9 })],
  [
    'tileloadd tmm7, [r10+rax+64]',
    'c4c27b4b7c0240',
    (asm) => asm.loadTile(7, { base: r10, index: rax, displacement: 64 }),
  ],
  [
    'tilestored [rbp+rcx+64], tmm3',
    'c4e27a4b5c0d40',
    (asm) => asm.storeTile({ base: rbp, index: rcx, displacement: 64 }, 3),
  ],
  ['tdpbf16ps tmm3, tmm5, tmm7', 'c4e2425cdd', (asm) => asm.multiplyTiles(3, 5, 7)],
];

const narrow: [string, string, (asm: Assembler) => void][] = [
  ['vmovups ymm15, [rbx+32]', 'c4617c107b20', (asm) => asm.loadVector(15, { base: rbx, displacement: 32 })],
  [
    'vmovups ymm1, [r12+16384]',
    'c4c17c108c2400400000',
    (asm) => asm.loadVector(1, { base: r12, displacement: 16_384 }),
  ],
  ['vmovups [rax], ymm15', 'c4617c117800', (asm) => asm.storeVector({ base: rax }, 15)],
  ['vcvtph2ps ymm1, [r10+96]', 'c4c27d134a60', (asm) => asm.loadHalves(1, { base: r10, displacement: 96 })],
  [
    'vbroadcastss ymm2, [r13+r9*2+4]',
    'c4827d18544d04',
    (asm) => asm.broadcast(2, { base: r13, index: r9, scale: 2, displacement: 4 }),
  ],
  ['vfmadd231ps ymm15, ymm1, ymm3', 'c46275b8fb', (asm) => asm.multiplyAdd(15, 1, 3)],
  ['vfmadd231ps ymm4, ymm0, ymm15', 'c4c27db8e7', (asm) => asm.multiplyAdd(4, 0, 15)],
  ['vfmadd231ps ymm4, ymm15, ymm2', 'c4e205b8e2', (asm) => asm.multiplyAdd(4, 15, 2)],
];

test.each([...general, ...wide, ...tiles].map((row) => [64, ...row] as const))(
  '%i: %s is %s',
  (vectorBytes, _text, bytes, write) => expect(codeOf(vectorBytes, write)).toBe(bytes),
);

test.each([...general, ...narrow])('32: %s is %s', (_text, bytes, write) =>
  expect(codeOf(32, write)).toBe(bytes),
);

test('jumps lead where their label is, before or behind them', () => {
  const back = codeOf(64, (asm) => {
    const label = asm.label();
    asm.place(label);
    asm.leave();
    asm.jump(label);
    asm.jumpIf('notEqual', label);
  });
  expect(back).toBe('c5f877c3' + 'e9f7ffffff' + '0f85f1ffffff');
  const ahead = codeOf(64, (asm) => {
    const label = asm.label();
    asm.jumpIf('below', label);
    asm.jump(label);
    asm.leave();
    asm.place(label);
  });
  expect(ahead).toBe('0f8209000000' + 'e904000000' + 'c5f877c3');
});

test('shapes of tiles are read from where they lie in the code', () => {
  const code = codeOf(64, (asm) => {
    const shapes = asm.label();
    asm.configureTiles(shapes);
    asm.leave();
    asm.place(shapes);
    asm.data(Uint8Array.of(1, 2));
  });
  expect(code).toBe('c4e2784905' + '04000000' + 'c5f877c3' + '0102');
});

test('a number of more than 32 bits is not cut', () => {
  expect(() => codeOf(64, (asm) => asm.multiplyImmediate(rax, rcx, 2 ** 31))).toThrow(RangeError);
  expect(() => codeOf(64, (asm) => asm.addImmediate(rax, -(2 ** 31) - 1))).toThrow(RangeError);
});

test('code that jumps to nowhere is not given out', () => {
  const asm = new Assembler(64);
  asm.jump(asm.label());
  expect(() => asm.code()).toThrow('never placed');
});
