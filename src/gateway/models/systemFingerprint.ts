import { createHash } from 'node:crypto';
import type { EngineInfo } from '../../core/request.ts';

/** OpenAI's `system_fingerprint`: another one means that the same request with the same seed may be answered otherwise. */
export function systemFingerprint({ model, parameters, vision, ...info }: EngineInfo): string {
  const { backend, device, instructionSets, threads, kvType } = info;
  const { weightType, kernels } = vision;
  const causes = [model, parameters, weightType, kernels, kvType, backend, device, instructionSets, threads];
  const hash = createHash('sha256').update(JSON.stringify(causes)).digest('hex');
  return `fp_${hash.slice(0, 10)}`;
}
