import type { EngineInfo } from '../core/request.ts';

/** What the scripted engine says of itself: no model, nothing loaded, the image rules of the real ones. */
export function scriptedInfo(maxRunning: number): EngineInfo {
  return {
    model: 'scripted',
    parameters: 0,
    contextTokens: 8192,
    kvCells: 0,
    kvType: 'none',
    maxRunning,
    vision: {
      hidden: 0,
      layers: 0,
      deepstackLayers: 0,
      featureWidth: 0,
      weightType: 'none',
      kernels: [],
      kernelProblems: [],
      probeGflops: {},
    },
    backend: 'scripted',
    device: 'none',
    instructionSets: '',
    threads: 1,
    loadMs: 0,
  };
}
