import { failure } from '../core/errors.ts';
import type { StoredItem } from './items.ts';

/**
 * The rules that keep calls and outputs together. A client may use a call id again once its call is answered (some engines count
 * from 0 in every answer), so an output answers the last call before it with its id.
 */

type Call = Extract<StoredItem, { type: 'function_call' }>;
type Output = Extract<StoredItem, { type: 'function_call_output' }>;

/** The output of every call that has one. Either can be missing once an item was erased. */
export function outputsOfCalls(items: readonly StoredItem[]): Map<Call, Output> {
  const open = new Map<string, Call>();
  const outputs = new Map<Call, Output>();
  for (const item of items) {
    if (item.type === 'function_call') open.set(item.callId, item);
    if (item.type !== 'function_call_output') continue;
    const call = open.get(item.callId);
    open.delete(item.callId);
    if (call) outputs.set(call, item);
  }
  return outputs;
}

/**
 * Every added output must answer a call that is there and has none yet.
 * @param field of the request that the added items came in
 * @throws invalid_parameter naming the item
 */
export function checkOutputs(
  context: readonly StoredItem[],
  added: readonly StoredItem[],
  field: 'input' | 'items',
): void {
  const answered = new Map<string, boolean>();
  for (const item of context) {
    if (item.type === 'function_call') answered.set(item.callId, false);
    if (item.type === 'function_call_output' && answered.has(item.callId)) answered.set(item.callId, true);
  }
  for (const [index, item] of added.entries()) {
    if (item.type !== 'function_call' && item.type !== 'function_call_output') continue;
    const { callId } = item;
    const refuse = (problem: string): Error =>
      failure('invalid_parameter', { param: `${field}[${index}].call_id`, problem });
    const state = answered.get(callId);
    if (item.type === 'function_call') {
      if (state === false) throw refuse(`function call ${named(callId)} is there already, without an output`);
      answered.set(callId, false);
      continue;
    }
    if (state === undefined) throw refuse(`there is no function call ${named(callId)} before this output`);
    if (state) throw refuse(`function call ${named(callId)} has its output already`);
    answered.set(callId, true);
  }
}

/** The model can't go on after a call without knowing what came of it. @throws invalid_parameter naming the call */
export function checkAllAnswered(items: readonly StoredItem[]): void {
  const outputs = outputsOfCalls(items);
  for (const item of items) {
    if (item.type !== 'function_call' || item.outputErased || outputs.has(item)) continue;
    throw failure('invalid_parameter', {
      param: 'input',
      problem: `no tool output found for function call ${named(item.callId)}`,
    });
  }
}

const maxEchoedLength = 80;
const named = (callId: string): string => callId.slice(0, maxEchoedLength);
