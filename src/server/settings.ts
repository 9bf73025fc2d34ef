import { z } from 'zod';
import { kvTypes } from '../engine/decode/kvType.ts';
import { featureTypes } from '../engine/vision/featurePacking.ts';
import { weightTypes } from '../engine/vision/weightType.ts';
import { defaultGatewayConfig as gateway } from '../gateway/config.ts';
import { gpuChoices } from '../llama/libraries.ts';
import { maxIdleTtlMs, retentions, defaultSessionConfig as session } from '../session/config.ts';
import { defaultDataFolder } from './dataFolder.ts';
import { notAnObject, oneOf, onOrOff, tenantName, text, texts, whole } from './settingTypes.ts';

declare module 'zod' {
  interface GlobalMeta {
    /** What is shown as the default where it depends on the machine. */
    readonly defaultText?: string;
  }
}

const dayMs = 24 * 60 * 60_000;
const perMinute = (unit: string) =>
  whole(1)
    .nullable()
    .default(null)
    .describe(
      `${unit} a minute for a key, or for a tenant without one, unless the key or tenant has its own limit`,
    );

export const tenantSettings = z.strictObject(
  {
    idleTtlMs: whole(1_000, maxIdleTtlMs).optional(),
    requestsPerMinute: whole(1).nullable().optional(),
    tokensPerMinute: whole(1).nullable().optional(),
    picturesPerMinute: whole(1).nullable().optional(),
  },
  { error: notAnObject },
);

/**
 * Everything an operator can set, by the one name it has in the configuration file; the environment and the command line
 * spell the same name in their way. `docs/configuration.md` lists the same rows, and a test keeps them equal.
 */
export const settings = {
  host: text()
    .default('127.0.0.1')
    .describe('address to listen on; any but a loopback one needs a key in the table'),
  port: whole(0, 65_535).default(8080).describe('0 takes a free one'),
  dataFolder: text().default(defaultDataFolder).meta({
    description: 'sessions, pictures and keys; one server at a time',
    defaultText: '`~/.local/share/afterimage` or what your system uses',
  }),

  model: text().optional().meta({
    description: 'text model (GGUF)',
    defaultText: 'the embedded model',
  }),
  mmproj: text().optional().meta({
    description: 'vision file (GGUF)',
    defaultText: 'the one beside the model that fits',
  }),
  gpu: oneOf(gpuChoices).default('auto').describe('where to compute'),
  threads: whole(1, 512).optional().meta({ description: 'CPU threads', defaultText: 'all cores' }),
  kvCells: whole(256, 2 ** 24)
    .optional()
    .meta({
      description: 'tokens the attention cache holds, all conversations together',
      defaultText: 'a quarter of free memory, 4,096 to 8,192',
    }),
  kvType: oneOf(kvTypes)
    .default('f16')
    .describe('how the attention cache holds keys and values; smaller ones change answers now and then'),
  stateCacheBytes: whole(0, 2 ** 40)
    .optional()
    .meta({
      description: 'memory for attention state of idle conversations that had to leave the attention cache',
      defaultText: 'an eighth of free memory, at most 2,147,483,648',
    }),
  featureType: oneOf(featureTypes)
    .default('f16')
    .describe('how features of pictures are kept, in memory and on disk'),
  hotIdleMs: whole(0, dayMs)
    .default(60_000)
    .describe('idle attention state leaves the attention cache for memory after this long'),
  ramIdleMs: whole(0, dayMs).default(120_000).describe('and memory for disk after this long'),
  stateDiskBytes: whole(0, 2 ** 50)
    .default(16 * 2 ** 30)
    .describe('disk for attention state and features, sealed, in the data folder; 0: none'),
  stateKeyFile: text().optional().meta({
    description: 'file with the 32 bytes, as base64, that state and pictures on disk are sealed under',
    defaultText: 'keys of its own in the data folder',
  }),
  visionWeights: oneOf(weightTypes)
    .optional()
    .meta({ description: 'weight type of the vision tower', defaultText: 'probed' }),
  maxRunning: whole(1, 256).default(16).describe('answers that are computed at the same time'),
  maxWaiting: whole(0, 1_000_000)
    .default(256)
    .describe('requests that wait for the engine; more are refused with 503'),
  maxWaitingPerTenant: whole(0, 1_000_000).default(64).describe('of them, of one tenant; tenants take turns'),

  idleTtlMs: whole(1_000, maxIdleTtlMs)
    .default(session.idleTtlMs)
    .describe('life of a session that nobody uses; then it and its pictures are gone'),
  retention: oneOf(retentions)
    .default(session.retention)
    .describe(
      'what is kept of pictures between turns: `pixels` all, `features` what the engine sealed on disk, `none` what is in memory',
    ),
  fileTtlMs: whole(1_000)
    .nullable()
    .default(session.fileTtlMs)
    .describe('life of an uploaded file that asks for none of its own; `none`: until it is deleted'),
  maxTurnMs: whole(1_000, dayMs).default(session.maxTurnMs).describe('a turn that takes longer is stopped'),
  leaseWaitMs: whole(0, 60_000)
    .default(session.leaseWaitMs)
    .describe('how long a turn waits for another one of its session before it is refused with 409'),
  pixelCacheBytes: whole(0)
    .default(session.pixelCacheBytes)
    .describe('memory for decoded pictures, so that a turn right after an upload need not decode again'),
  eventLogBytes: whole(0)
    .default(session.eventLogBytes)
    .describe('memory for the events of background turns that have ended'),
  maxRecordBytes: whole(2 ** 16, 2 ** 28)
    .default(session.maxRecordBytes)
    .describe('what the text of one session may take; pictures do not count'),
  reserveBytes: whole(0, 2 ** 50)
    .default(64 * 2 ** 20)
    .describe(
      'free space on the volume below which kept state is given up, and below a quarter of which no pictures are taken',
    ),

  requestsPerMinute: perMinute('requests'),
  tokensPerMinute: perMinute('tokens'),
  picturesPerMinute: perMinute('pictures'),
  tenants: z
    .record(tenantName(), tenantSettings, { error: notAnObject })
    .default({})
    .describe(
      "tenants' own `idleTtlMs`, and for their keys `requestsPerMinute`, `tokensPerMinute`, `picturesPerMinute`, by name",
    ),
  allowedHosts: texts()
    .default([...gateway.allowedHosts])
    .describe('host names besides `localhost` that a server without required keys answers to'),
  localTenant: tenantName()
    .default(gateway.localTenant)
    .describe('whom requests without a key act for, on loopback'),
  modelAliases: texts()
    .default([...gateway.modelAliases])
    .describe("names besides the model's own that requests may give as `model`"),
  pictureUrls: onOrOff()
    .default(gateway.pictureUrls)
    .describe('fetch pictures named by web address, from public addresses only'),
  maxBodyBytes: whole(1_024, 2 ** 30)
    .default(gateway.maxBodyBytes)
    .describe('JSON bodies, with the pictures in them'),
  maxFileBytes: whole(1_024, 2 ** 30)
    .default(gateway.maxFileBytes)
    .describe('uploaded files'),
  maxJsonDepth: whole(4, 1_000).default(gateway.maxJsonDepth).describe('nesting of JSON bodies'),
  slowReaderMs: whole(1_000, dayMs)
    .default(gateway.slowReaderMs)
    .describe('a reader of a stream that takes nothing for this long is disconnected'),

  log: oneOf(['silent', 'error', 'warn', 'info', 'debug']).default('info').describe('JSON lines on stderr'),
  drainMs: whole(0, dayMs).default(30_000).describe('how long running turns may go on after SIGTERM'),
  engine: oneOf(['native', 'scripted'])
    .default('native')
    .describe('for development: `scripted` answers without a model'),
  scriptedDelayMs: whole(0, 60_000)
    .default(0)
    .describe('for development: how long each token of the scripted engine takes'),
} as const;

export type SettingName = keyof typeof settings;

export const settingNames = Object.keys(settings) as SettingName[];

/** All settings with their values; those without a default may be missing. */
export type ServerConfig = z.output<z.ZodObject<typeof settings>>;
