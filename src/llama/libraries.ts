import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi, { type LibraryHandle } from 'koffi';
import { failure } from '../core/errors.ts';
import { cudaDeviceCount } from './cudaDriver.ts';
import { type NativeLogSink, redirectLog } from './log.ts';

export type GpuChoice = 'auto' | 'off' | 'cuda' | 'vulkan' | 'metal';
export const gpuChoices: readonly GpuChoice[] = ['auto', 'off', 'cuda', 'vulkan', 'metal'];

/** The one release whose struct layouts these bindings know. */
export const nativePackageVersion = '3.22.1';
export const nativeRelease = 'llama.cpp v0.5.0';

export interface NativeLibraries {
  /** Folder that also holds the back ends ggml loads by itself. */
  readonly folder: string;
  readonly packageName: string;
  /** Better packages that are installed and find no device here. */
  readonly passedOver: readonly string[];
  readonly base: LibraryHandle;
  readonly ggml: LibraryHandle;
  readonly llama: LibraryHandle;
}

const packagePrefix = '@node-llama-cpp/';

/** The packages that were published of this release, by platform; those for macOS and Windows were not. */
const published: Readonly<Record<string, Partial<Record<GpuChoice, string>>>> = {
  'linux-x64': { off: 'linux-x64', cuda: 'linux-x64-cuda', vulkan: 'linux-x64-vulkan' },
  'linux-arm64': { off: 'linux-arm64' },
};

/** Packages of this release that can serve a choice on a platform, best first; none: it has no such package. */
export function candidatePackages(
  gpu: GpuChoice,
  platform: string = process.platform,
  arch: string = process.arch,
): string[] {
  const packages = published[`${platform}-${arch}`] ?? {};
  const choices = gpu === 'auto' ? (['cuda', 'vulkan', 'off'] as const) : [gpu];
  return choices.flatMap((choice) => packages[choice] ?? []).map((name) => packagePrefix + name);
}

/** Whether an installed package has nothing to compute on here, so that `auto` goes on to the next one. */
export const lacksDevice = (packageName: string): boolean =>
  packageName.endsWith('-cuda') && cudaDeviceCount() === 0;

let loaded: { gpu: GpuChoice; libraries: NativeLibraries } | undefined;

/**
 * Loads ggml and llama once per process; symbols are global, so a process can serve one choice only.
 * Their log lines go to `log` from the first one on.
 * @throws native_library_missing with the command that installs it, native_library_unpublished
 */
export async function loadLibraries(gpu: GpuChoice, log: NativeLogSink): Promise<NativeLibraries> {
  if (loaded) {
    if (loaded.gpu !== gpu) throw new Error(`libraries are already loaded for --gpu ${loaded.gpu}`);
    return loaded.libraries;
  }
  const candidates = candidatePackages(gpu);
  const lastChoice = candidates.at(-1);
  const takesCpu = gpu === 'auto' || gpu === 'off';
  const system = `${process.platform}-${process.arch}`;
  if (lastChoice === undefined) {
    const backend = takesCpu ? 'the CPU' : gpu;
    throw failure('native_library_unpublished', { backend, system, release: nativeRelease });
  }
  const passedOver: string[] = [];
  for (const packageName of candidates) {
    const folder = await binaryFolder(packageName);
    if (!folder) continue;
    if (gpu === 'auto' && lacksDevice(packageName)) {
      passedOver.push(packageName);
      continue;
    }
    loaded = { gpu, libraries: { packageName, passedOver, ...openPackage(packageName, folder, log) } };
    return loaded.libraries;
  }
  const command = installCommand(lastChoice);
  throw failure('native_library_missing', { backend: takesCpu ? system : gpu, command });
}

/** GPU builds carry their name in two of the files: libggml.vulkan.v0.5.0.so. */
function openPackage(
  packageName: string,
  folder: string,
  log: NativeLogSink,
): Omit<NativeLibraries, 'packageName' | 'passedOver'> {
  const files = readdirSync(folder);
  const open = (pattern: RegExp): LibraryHandle => {
    const file = files.find((name) => pattern.test(name));
    if (file) return koffi.load(join(folder, file), { global: true });
    const command = installCommand(packageName);
    throw failure('native_library_missing', { backend: packageName, command });
  };
  // ggml first, then its back ends, then llama: the order in which their symbols depend on each other.
  const base = open(/^(lib)?ggml-base\.(so|dylib|dll)$/);
  redirectLog(base, 'ggml_log_set', log);
  const ggml = open(/^(lib)?ggml(\.[a-z]+)?(\.v[\d.]+)?\.(so|dylib|dll)$/);
  ggml.func('ggml_backend_load_all_from_path', 'void', ['str'])(folder);
  const llama = open(/^(lib)?llama(\.[a-z]+)?(\.v[\d.]+)?\.(so|dylib|dll)$/);
  redirectLog(llama, 'llama_log_set', log);
  return { folder, base, ggml, llama };
}

function installCommand(packageName: string): string {
  return `npm install ${packageName}@${nativePackageVersion}`;
}

async function binaryFolder(packageName: string): Promise<string | undefined> {
  let bindings: { getBinsDir(): { binsDir: string; packageVersion: string } };
  try {
    bindings = await import(packageName);
  } catch {
    return undefined; // Not installed: the caller tries the next candidate or names this one in its error.
  }
  const { binsDir, packageVersion } = bindings.getBinsDir();
  if (packageVersion !== nativePackageVersion) {
    throw failure('native_layout_mismatch', {
      release: nativeRelease,
      field: `${packageName} version`,
      actual: packageVersion,
      expected: nativePackageVersion,
    });
  }
  return join(binsDir, packageName.slice(packagePrefix.length));
}
