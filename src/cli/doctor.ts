import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import type { EngineInfo, GenerateResult } from '../core/request.ts';
import { imageSourceFromBytes } from '../images/load.ts';
import { testPicture } from '../images/testPicture.ts';
import { startNativeEngine } from '../inference/nativeEngine.ts';
import { candidatePackages, lacksDevice, nativePackageVersion, nativeRelease } from '../llama/libraries.ts';
import { createLogger } from './logger.ts';
import { type EngineFlags, engineConfig } from './options.ts';
import { tokensPerSecond } from './report.ts';

type PackageState = 'installed' | 'installed, no device' | 'not installed';

interface Findings {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly freeMemoryGiB: number;
  readonly library: string;
  readonly packages: Readonly<Record<string, PackageState>>;
  readonly engine: EngineInfo;
  readonly speeds: {
    /** One 448x448 picture. */
    readonly encodeMs: number;
    readonly prefillTokensPerSecond: number;
    readonly decodeTokensPerSecond: number | undefined;
  };
}

/** `afterimage doctor`: looks, starts the engine, measures once, and says what it found. */
export async function doctor(flags: EngineFlags & { json?: boolean }): Promise<void> {
  const engine = startNativeEngine(engineConfig(flags), createLogger(flags.log));
  try {
    const info = await engine.ready();
    const image = await imageSourceFromBytes(await testPicture(448, 448), 'auto');
    let result: GenerateResult | undefined;
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'image', image },
          { type: 'text', text: 'Describe it. '.repeat(40) },
        ],
      },
    ] as const;
    // End-of-answer tokens would cut the measurement short: the answer's text is of no interest here.
    const request = {
      tenant: 'doctor',
      messages,
      maxOutputTokens: 32,
      sampling: { temperature: 1, seed: 1 },
    };
    for await (const event of engine.generate(request)) if (event.type === 'done') result = event.result;
    if (!result) throw new Error('the engine ended without a result');
    const findings = await look(info, result);
    process.stdout.write(flags.json ? `${JSON.stringify(findings)}\n` : describe(findings));
  } finally {
    await engine.dispose();
  }
}

async function look(engine: EngineInfo, result: GenerateResult): Promise<Findings> {
  const names = candidatePackages('auto');
  const packages = await Promise.all(names.map(async (name) => [name, await stateOf(name)] as const));
  const { usage, timings } = result;
  return {
    node: process.version,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: totalmem() / 2 ** 30,
    freeMemoryGiB: freemem() / 2 ** 30,
    library: `${nativeRelease} (packages ${nativePackageVersion})`,
    packages: Object.fromEntries(packages),
    engine,
    speeds: {
      encodeMs: timings.encodeMs,
      prefillTokensPerSecond: (usage.promptTokens / timings.prefillMs) * 1000,
      decodeTokensPerSecond: tokensPerSecond(result),
    },
  };
}

async function stateOf(packageName: string): Promise<PackageState> {
  try {
    await import(packageName);
  } catch {
    return 'not installed';
  }
  return lacksDevice(packageName) ? 'installed, no device' : 'installed';
}

function describe(findings: Findings): string {
  const { engine, speeds } = findings;
  const { vision } = engine;
  const probe = Object.entries(vision.probeGflops).map(([type, rate]) => `${type} ${rate.toFixed(0)}`);
  const rows: [string, string][] = [
    ['Node', findings.node],
    ['CPU', `${findings.cpu}, ${findings.cores} cores`],
    ['Memory', `${findings.freeMemoryGiB.toFixed(1)} of ${findings.memoryGiB.toFixed(1)} GiB free`],
    ['Library', findings.library],
    ...Object.entries(findings.packages).map(([name, state]): [string, string] => ['', `${name}: ${state}`]),
    ['Computes on', `${engine.backend} (${engine.device}), ${engine.threads} threads`],
    ['', engine.instructionSets],
    [
      'Model',
      `${engine.model}, ${(engine.parameters / 1e6).toFixed(1)} M parameters of text, context ${engine.contextTokens}`,
    ],
    [
      '',
      `KV cache ${engine.kvCells} cells of ${engine.kvType}, ${engine.maxRunning} answers at a time, loaded in ${engine.loadMs.toFixed(0)} ms`,
    ],
    [
      'Vision',
      `${vision.layers} layers, ${vision.hidden} wide, DeepStack ${vision.deepstackLayers}, weights ${vision.weightType}, matmuls by ${vision.kernels.join(', ') || 'the library'}`,
    ],
    ...vision.kernelProblems.map((problem): [string, string] => ['', `not used: ${problem}`]),
    ['', probe.length > 0 ? `probe: ${probe.join(', ')} GFLOP/s` : 'weight type given, not probed'],
    ['Speed', `encode 448x448: ${speeds.encodeMs.toFixed(0)} ms`],
    ['', `prefill: ${speeds.prefillTokensPerSecond.toFixed(0)} tokens/s`],
    ['', `decode: ${speeds.decodeTokensPerSecond?.toFixed(0) ?? 'answer too short to tell'} tokens/s`],
  ];
  return `${rows.map(([name, value]) => `${name.padEnd(12)} ${value}`).join('\n')}\n`;
}
