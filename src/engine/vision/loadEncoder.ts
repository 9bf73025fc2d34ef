import { stat } from 'node:fs/promises';
import type { Backend } from '../../llama/backend.ts';
import type { Native } from '../../llama/native.ts';
import type { ModelPair } from '../../models/pair.ts';
import type { Logger } from '../ipc/logger.ts';
import { VisionEncoder } from './encoder.ts';
import { kernelsFor } from './kernel/matmulKernel.ts';
import { RememberedProbe } from './rememberedProbe.ts';
import type { WeightType } from './weightType.ts';

/** Loads the vision tower with the weight type that is asked for, else that of an earlier start, else what a probe chooses. */
export async function loadEncoder(
  native: Native,
  backend: Backend,
  pair: ModelPair,
  config: { readonly visionWeightType: WeightType | undefined; readonly stateFolder: string | undefined },
  logger: Logger,
): Promise<VisionEncoder> {
  const { visionWeightType, stateFolder } = config;
  const load = async (weightType: WeightType | undefined): Promise<VisionEncoder> => {
    const encoder = await VisionEncoder.load(native, backend, pair, { ...(weightType && { weightType }) });
    const { kernelProblems: problems } = encoder;
    if (problems.length > 0) logger.warn({ problems }, 'engine: the vision tower does without some kernels');
    return encoder;
  };
  if (visionWeightType !== undefined || stateFolder === undefined) return load(visionWeightType);
  const { size } = await stat(pair.mmprojPath);
  const kernels = kernelsFor(native.systemInfo).map(({ name }) => name);
  const about = [
    native.systemInfo,
    backend.name,
    backend.deviceName,
    pair.mmprojPath,
    String(size),
    ...kernels,
  ];
  const probe = new RememberedProbe(stateFolder, about);
  const known = await probe.choice();
  const encoder = await load(known);
  // What was chosen without a kernel that this machine has is no choice for the next start.
  if (known === undefined && encoder.kernelProblems.length === 0) {
    await probe.remember(encoder.weightType).catch((error) => {
      logger.warn({ reason: String(error) }, 'engine: the choice of vision weights could not be kept');
    });
  }
  return encoder;
}
