import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failure } from '../../core/errors.ts';
import type { EngineStats } from '../../core/request.ts';
import type { SessionStats } from '../../session/sessionManager.ts';
import type { ResponseView } from '../../session/view.ts';
import { GatewayMetrics, type MetricSources } from './metrics.ts';

const engineStats: EngineStats = {
  encoderCalls: 3,
  imagesReused: 4,
  running: 1,
  waiting: 2,
  idleSequences: 5,
  droppedSequences: 6,
  kvCellsUsed: 70,
  kvCellsTotal: 80,
  featureBytes: 900,
  stateBytes: 800,
  restoredSequences: 3,
  diskBytes: 700,
  checkpoints: 15,
  lostCheckpoints: 16,
  diskFailures: 17,
  refusedObjects: { damaged: 18 },
  plans: { byTier: { hot: 19, ram: 20, disk: 21, none: 22 }, estimatedMs: 23, actualMs: 24, errorMs: 25 },
  promptTokens: 10,
  reusedTokens: 11,
  outputTokens: 12,
  residentBytes: 1_300,
  restarts: 14,
};
const sessionStats: SessionStats = {
  commits: 1,
  abandoned: 2,
  replays: 3,
  sessionsExpired: 4,
  sessionsDeleted: 5,
  sessions: 6,
  runningTurns: 7,
  eventLogBytes: 8,
  cachedPixelBytes: 9,
  blobBytes: { upload: 10 },
};
const alive: MetricSources = {
  engine: { stats: async () => engineStats },
  sessions: { stats: async () => sessionStats },
};
const dead: MetricSources = {
  engine: { stats: () => new Promise(() => {}) },
  sessions: { stats: () => Promise.reject(new Error('the store is gone')) },
};

const result: NonNullable<ResponseView['result']> = {
  finishReason: 'stop',
  usage: {
    promptTokens: 100,
    imageTokens: 50,
    reusedTokens: 80,
    outputTokens: 7,
    imagesEncoded: 1,
    imagesReused: 2,
  },
  timings: { queuedMs: 10, encodeMs: 200, prefillMs: 30, firstTokenMs: 400, decodeMs: 50 },
  tier: 'hot',
  droppedItems: 0,
};

const view: ResponseView = {
  id: 'resp_1',
  status: 'completed',
  background: false,
  createdAtMs: 0,
  completedAtMs: 1,
  previousResponseId: null,
  conversationId: null,
  instructions: null,
  metadata: {},
  echo: {},
  output: [],
  result,
  comparison: null,
  error: null,
};

/** `name{labels}` to value. */
async function read(metrics: GatewayMetrics, sources: MetricSources): Promise<Map<string, number>> {
  const { text } = await metrics.expose(sources);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

test('turns and requests are counted as they end', async () => {
  const metrics = new GatewayMetrics();
  metrics.finished(view);
  metrics.finished({ ...view, status: 'incomplete' });
  metrics.finished({ ...view, result: null });
  metrics.failed(failure('session_busy', {}));
  metrics.failed(new Error('anything'));
  metrics.requestEnded({ method: 'GET', route: '/v1/models', status: 200, seconds: 0.02 });
  const samples = await read(metrics, alive);
  expect(Object.fromEntries(samples)).toMatchObject({
    'afterimage_turns_total{outcome="completed"}': 2,
    'afterimage_turns_total{outcome="incomplete"}': 1,
    'afterimage_turns_total{outcome="session_busy"}': 1,
    'afterimage_turns_total{outcome="stopped"}': 1,
    'afterimage_tokens_total{kind="computed"}': 40,
    'afterimage_tokens_total{kind="reused"}': 160,
    'afterimage_tokens_total{kind="output"}': 14,
    'afterimage_pictures_total{kind="encoded"}': 2,
    'afterimage_pictures_total{kind="reused"}': 4,
    'afterimage_turns_by_tier_total{tier="hot"}': 2,
    afterimage_turn_first_token_seconds_sum: 0.8,
    afterimage_turn_encode_seconds_count: 2,
    'afterimage_http_requests_total{method="GET",route="/v1/models",status="200"}': 1,
    'afterimage_http_request_duration_seconds_count{method="GET",route="/v1/models"}': 1,
  });
});

test('a turn whose state was brought back tells how long that took', async () => {
  const metrics = new GatewayMetrics();
  metrics.finished(view);
  metrics.finished({
    ...view,
    result: { ...result, tier: 'ram', timings: { ...result.timings, loadMs: 4 } },
  });
  expect(Object.fromEntries(await read(metrics, alive))).toMatchObject({
    'afterimage_turns_by_tier_total{tier="ram"}': 1,
    afterimage_turn_load_seconds_count: 1,
    afterimage_turn_load_seconds_sum: 0.004,
  });
});

test('what others count is copied, not added up, whenever it is read', async () => {
  const metrics = new GatewayMetrics();
  await read(metrics, alive);
  expect(Object.fromEntries(await read(metrics, alive))).toMatchObject({
    afterimage_engine_up: 1,
    afterimage_engine_running: 1,
    afterimage_engine_waiting: 2,
    afterimage_engine_kv_cells_used: 70,
    afterimage_engine_kv_cells: 80,
    'afterimage_engine_bytes{kind="features"}': 900,
    'afterimage_engine_bytes{kind="disk"}': 700,
    'afterimage_engine_plans_total{tier="disk"}': 21,
    'afterimage_engine_plan_seconds_total{kind="error"}': 0.025,
    'afterimage_engine_refused_objects_total{reason="damaged"}': 18,
    afterimage_engine_encoder_calls_total: 3,
    afterimage_engine_restarts_total: 14,
    afterimage_store_up: 1,
    afterimage_sessions: 6,
    'afterimage_stored_bytes{kind="upload"}': 10,
    'afterimage_session_turns_total{kind="replayed"}': 3,
    'afterimage_sessions_ended_total{kind="expired"}': 4,
  });
});

test('what does not answer within a second is left out, and the rest is there', async () => {
  const metrics = new GatewayMetrics();
  await read(metrics, alive);
  metrics.finished(view);
  const began = performance.now();
  const samples = await read(metrics, dead);
  expect(performance.now() - began).toBeLessThan(3_000);
  expect(samples.get('afterimage_engine_up')).toBe(0);
  expect(samples.get('afterimage_store_up')).toBe(0);
  expect(samples.get('afterimage_turns_total{outcome="completed"}')).toBe(1);
  const left = [...samples.keys()].filter((name) => /^afterimage_(engine|session|store)/.test(name));
  expect(left.sort()).toEqual(['afterimage_engine_up', 'afterimage_store_up']);
});

test('the metrics page lists every metric of ours with its type, labels and meaning, and no other', async () => {
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(afterimage_\w+)` \| (\w+) \| (.*?) \| (.+) \|$/gm)].map(
    ([, name, type, labels, help]) => ({ name, type, labels: labels?.replaceAll('`', ''), help }),
  );
  const metrics = new GatewayMetrics();
  const own = metrics.registry
    .getMetricsAsArray()
    .map(
      (metric) =>
        metric as unknown as {
          name: string;
          help: string;
          labelNames: string[];
          constructor: { name: string };
        },
    )
    .filter(({ name }) => !/^(process|nodejs)_/.test(name));
  expect(documented).toEqual(
    own.map((metric) => ({
      name: metric.name,
      type: metric.constructor.name.toLowerCase(),
      labels: metric.labelNames.join(', '),
      help: metric.help,
    })),
  );
});
