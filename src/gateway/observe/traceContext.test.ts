import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newSpanContext, parseTraceparent, traceparentOf } from './traceContext.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';

test('a well-formed header is the parent', () => {
  expect(parseTraceparent(`00-${trace}-${span}-01`)).toEqual({
    traceId: trace,
    spanId: span,
    traceFlags: 1,
    isRemote: true,
  });
});

test('a later version may say more, and its unknown flags are not handed on', () => {
  expect(parseTraceparent(`01-${trace}-${span}-ff-more`)).toMatchObject({ traceId: trace, traceFlags: 3 });
});

test.each([
  undefined,
  '',
  `00-${trace}-${span}-01-more`,
  `ff-${trace}-${span}-01`,
  `00-${'0'.repeat(32)}-${span}-01`,
  `00-${trace}-${'0'.repeat(16)}-01`,
  `00-${trace.toUpperCase()}-${span}-01`,
  `00-${trace}-${span}-1`,
  `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
])('%s is nobody', (header) => {
  expect(parseTraceparent(header)).toBeUndefined();
});

test('our own span stays in the trace of its parent, with an id of its own, and can be parsed', () => {
  const hex = (length: number) =>
    fc
      .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
      .filter((id) => !/^0+$/.test(id));
  fc.assert(
    fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 3 }), (traceId, spanId, traceFlags) => {
      const parent = { traceId, spanId, traceFlags, isRemote: true };
      expect(parseTraceparent(traceparentOf(parent))).toEqual(parent);
      const own = newSpanContext(parent);
      expect(own).toMatchObject({ traceId, traceFlags });
      expect(own.spanId).not.toBe(spanId);
    }),
  );
  expect(parseTraceparent(traceparentOf(newSpanContext(undefined)))).toMatchObject({ traceFlags: 0 });
});
