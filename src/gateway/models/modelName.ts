import { failure } from '../../core/errors.ts';
import type { GatewayParts } from '../parts.ts';

const maxEchoedLength = 80;

/** How a model is called on the wire: `Afterimage Tiny` is `afterimage-tiny`. */
export function modelId(name: string): string {
  const slug = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return slug === '' ? 'model' : slug;
}

/**
 * The id of the model that answers a request for `model`, which may be left out; waits until the model is known.
 * @throws model_not_found
 */
export async function resolveModel(parts: GatewayParts, model?: string): Promise<string> {
  const { model: name } = await parts.engine.ready();
  const id = modelId(name);
  const { modelAliases } = parts.config;
  if (model === undefined || model === id || model === name || modelAliases.includes(model)) return id;
  const available = [id, ...modelAliases].join(', ');
  const details = { param: 'model', model: model.slice(0, maxEchoedLength), available };
  throw failure('model_not_found', details);
}
