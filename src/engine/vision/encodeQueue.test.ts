import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageSource } from '../../core/request.ts';
import type { FeatureTicket } from './encodeOrder.ts';
import { EncodeQueue, type FeatureStore } from './encodeQueue.ts';
import type { EncodeJob } from './encoder.ts';
import type { FeaturePacking } from './featurePacking.ts';

const side = 2;
const rgb = new Uint8Array(side * side * 3);

/** Keeps whole numbers only, so that what was packed can be told from what was not. */
const packing: FeaturePacking = {
  type: 'q8_0',
  pack: (features) => Uint8Array.from(features),
  unpack: (packed) => Float32Array.from(packed),
};

/** A picture whose pixels come when the test says so. */
function slow() {
  const pixels = Promise.withResolvers<Uint8Array>();
  pixels.promise.catch(() => {});
  const image: ImageSource = { digest: 'd', width: side, height: side, pixels: () => pixels.promise };
  return { image, ...pixels };
}

/** Encodes of two slices. */
class FakeEncoder {
  begun = 0;
  disposed = 0;
  readonly #fails: () => boolean;

  constructor(fails: () => boolean = () => false) {
    this.#fails = fails;
  }

  begin(): EncodeJob {
    this.begun++;
    let slices = 0;
    let isDisposed = false;
    return {
      step: async () => {
        if (isDisposed) throw new Error('a step after the end');
        if (this.#fails()) throw new Error('the encode failed');
        slices++;
        return slices === 2;
      },
      features: () => new Float32Array([1.25]),
      dispose: () => {
        if (isDisposed) throw new Error('disposed twice');
        isDisposed = true;
        this.disposed++;
      },
    } as EncodeJob;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function drain(queue: EncodeQueue): Promise<void> {
  await settled();
  while (queue.canStep()) {
    await queue.step();
    await settled();
  }
}

const open = (encoder = new FakeEncoder()) => ({
  encoder,
  queue: new EncodeQueue(encoder, { packing, maxBytes: 1 << 20 }, () => {}),
});

describe('two claims on one image', () => {
  test('share one encode', async () => {
    const { queue, encoder } = open();
    const [first, second] = [slow(), slow()];
    const tickets = [queue.claim('t', 'k', first.image), queue.claim('t', 'k', second.image)];
    first.resolve(rgb);
    await drain(queue);
    expect(tickets.map(({ features }) => features?.length)).toEqual([1, 1]);
    expect(tickets.map(({ startedEncode }) => startedEncode)).toEqual([true, false]);
    expect([queue.encoderCalls, encoder.begun, encoder.disposed]).toEqual([1, 1, 1]);
  });

  test('when the first is given up before its pixels came, the second one brings its own', async () => {
    const { queue } = open();
    const [first, second] = [slow(), slow()];
    const gone = queue.claim('t', 'k', first.image);
    const waiting = queue.claim('t', 'k', second.image);
    gone.cancel();
    first.resolve(rgb);
    await drain(queue);
    expect(waiting.features).toBeUndefined();
    second.resolve(rgb);
    await drain(queue);
    expect([waiting.features?.length, waiting.startedEncode]).toEqual([1, true]);
    expect(gone.features).toBeUndefined();
  });

  test.each([
    ['fails', (source: ReturnType<typeof slow>) => source.reject(new Error('no such picture'))],
    ['brings too few bytes', (source: ReturnType<typeof slow>) => source.resolve(new Uint8Array(3))],
  ])('when the source of the first %s, only the first one fails', async (_, spoil) => {
    const { queue, encoder } = open();
    const [first, second] = [slow(), slow()];
    const failing = queue.claim('t', 'k', first.image);
    const other = queue.claim('t', 'k', second.image);
    spoil(first);
    second.resolve(rgb);
    await drain(queue);
    expect(failing.error).toBeInstanceOf(Error);
    expect([other.error, other.features?.length]).toEqual([undefined, 1]);
    expect(encoder.begun).toBe(1);
  });

  test('an encode that fails fails both, and a later claim begins anew', async () => {
    let broken = true;
    const { queue, encoder } = open(new FakeEncoder(() => broken));
    const tickets = [slow(), slow()].map((source) => {
      source.resolve(rgb);
      return queue.claim('t', 'k', source.image);
    });
    await drain(queue);
    expect(tickets.map(({ error }) => error instanceof Error)).toEqual([true, true]);
    broken = false;
    const source = slow();
    source.resolve(rgb);
    const later = queue.claim('t', 'k', source.image);
    await drain(queue);
    expect(later.features?.length).toBe(1);
    expect([encoder.begun, encoder.disposed]).toEqual([2, 2]);
  });
});

test('an encode that has begun is ended before the next one', async () => {
  const { queue, encoder } = open();
  const sources = [slow(), slow()];
  const tickets = sources.map(({ image }, n) => queue.claim('t', `k${n}`, image));
  sources[1]?.resolve(rgb);
  await settled();
  await queue.step();
  sources[0]?.resolve(rgb);
  await settled();
  await queue.step();
  expect(tickets.map(({ features }) => features !== undefined)).toEqual([false, true]);
  expect(encoder.begun).toBe(1);
});

test('a tenant that is forgotten while an encode runs leaves nothing behind, and who waits gets it', async () => {
  const { queue } = open();
  const source = slow();
  source.resolve(rgb);
  const ticket = queue.claim('t', 'k', source.image);
  await settled();
  await queue.step();
  queue.forget('t');
  await drain(queue);
  expect(ticket.features?.length).toBe(1);
  expect([queue.cache.get('t', 'k'), queue.cache.bytes]).toEqual([undefined, 0]);
});

describe('features that outlive the process', () => {
  const stored = (load: () => Promise<Uint8Array | undefined>) => {
    const saved: string[] = [];
    const store: FeatureStore = {
      has: (tenant, key) => tenant === 't' && key === 'k',
      load,
      save: async (tenant, key) => saved.push(`${tenant} ${key}`) > 0,
    };
    const encoder = new FakeEncoder();
    return { saved, encoder, queue: new EncodeQueue(encoder, { packing, store, maxBytes: 100 }, () => {}) };
  };

  test('are read once for all who wait, and no pixels are asked for', async () => {
    let loads = 0;
    const { queue, encoder } = stored(async () => {
      loads++;
      return Uint8Array.of(7);
    });
    const pixels = () => Promise.reject(new Error('asked for pixels'));
    const image = { digest: 'd', width: side, height: side, pixels };
    const tickets = [queue.claim('t', 'k', image), queue.claim('t', 'k', image)];
    await settled();
    expect(tickets.map(({ features }) => features)).toEqual([Float32Array.of(7), Float32Array.of(7)]);
    expect(tickets.some(({ startedEncode }) => startedEncode)).toBe(false);
    expect(queue.claim('t', 'k', image).features).toEqual(Float32Array.of(7));
    expect([loads, encoder.begun]).toEqual([1, 0]);
  });

  test('that turn out to be lost are made anew, and a claim that was given up meanwhile starts nothing', async () => {
    const { queue, encoder, saved } = stored(async () => undefined);
    const [kept, given] = [slow(), slow()];
    const ticket = queue.claim('t', 'k', kept.image);
    await settled();
    kept.resolve(rgb);
    await drain(queue);
    expect([ticket.features, ticket.startedEncode]).toEqual([Float32Array.of(1), true]);
    expect([encoder.begun, saved]).toEqual([1, ['t k']]);
    queue.forgetImage('t', 'k');
    queue.claim('t', 'k', given.image).cancel();
    await drain(queue);
    expect(encoder.begun).toBe(1);
  });
});

test('features are rounded before anybody sees them', async () => {
  const { queue } = open();
  const source = slow();
  const ticket = queue.claim('t', 'k', source.image);
  source.resolve(rgb);
  await drain(queue);
  expect(ticket.features).toEqual(Float32Array.of(1));
  expect(queue.claim('t', 'k', source.image).features).toEqual(ticket.features);
});

test('whatever happens in whatever order, every claim that is kept is settled and every encode ended', async () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('claim' as const), image: fc.nat(2), tenant: fc.constantFrom('a', 'b') }),
    fc.record({
      do: fc.constantFrom('cancel' as const, 'pixels' as const, 'fail' as const),
      claim: fc.nat(11),
    }),
    fc.record({ do: fc.constantFrom('step' as const, 'forget' as const, 'break' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      let breaksNext = false;
      const encoder = new FakeEncoder(() => {
        const breaks = breaksNext;
        breaksNext = false;
        return breaks;
      });
      const queue = new EncodeQueue(encoder, { packing, maxBytes: 8 }, () => {});
      const claims: { ticket: FeatureTicket; source: ReturnType<typeof slow>; kept: boolean }[] = [];
      for (const wanted of actions) {
        if (wanted.do === 'claim') {
          const source = slow();
          const ticket = queue.claim(wanted.tenant, `k${wanted.image}`, source.image);
          claims.push({ ticket, source, kept: true });
        } else if ('claim' in wanted) {
          const claim = claims[wanted.claim];
          if (!claim) continue;
          if (wanted.do === 'pixels') claim.source.resolve(rgb);
          else if (wanted.do === 'fail') claim.source.reject(new Error('gone'));
          else {
            claim.kept = false;
            claim.ticket.cancel();
          }
        } else if (wanted.do === 'step') {
          await settled();
          if (queue.canStep()) await queue.step();
        } else if (wanted.do === 'forget') queue.forget('a');
        else breaksNext = true;
      }
      for (const { source } of claims) source.resolve(rgb);
      await drain(queue);
      for (const { ticket, kept } of claims) {
        const ends = [ticket.features, ticket.error].filter((end) => end !== undefined);
        if (kept) expect(ends).toHaveLength(1);
      }
      expect(encoder.begun).toBe(encoder.disposed);
      expect(queue.encoderCalls).toBe(encoder.begun);
    }),
    { numRuns: 500 },
  );
});
