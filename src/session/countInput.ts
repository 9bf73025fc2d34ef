import { failure } from '../core/errors.ts';
import type { PromptCount } from '../core/request.ts';
import type { TurnParts } from './turnParts.ts';
import { baseOf, type TurnRequest } from './turnRequest.ts';
import { draftUnstored } from './unstoredTurn.ts';

/**
 * What the prompt of such a turn would take, its base and truncation included. Nothing is written and no idle time begun anew;
 * pictures the session hasn't seen are measured.
 * @throws what such a turn is refused with, but for its length
 */
export async function countInput(
  tenant: string,
  request: TurnRequest,
  parts: Pick<TurnParts, 'sessions' | 'clock' | 'config' | 'pictures' | 'engine'>,
): Promise<PromptCount> {
  if (request.input.length === 0 && !baseOf(request)) {
    throw failure('invalid_parameter', { param: 'input', problem: 'at least one item is needed, got 0' });
  }
  const { generate } = await draftUnstored(tenant, request, parts);
  return parts.engine.countTokens(generate);
}
