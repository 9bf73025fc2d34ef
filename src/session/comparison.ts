import type { InferencePort } from '../core/inference.ts';
import type { ChatMessage, GenerateRequest, Usage } from '../core/request.ts';
import { parseResponseId } from './ids.ts';
import { joinRuns } from './itemRuns.ts';
import type { Pictures } from './pictures.ts';
import type { Comparison, ResponseRecord } from './record.ts';
import type { SessionStore } from './sessionStore.ts';
import { withoutOldest } from './truncation.ts';
import { promptMessages } from './turnPrompt.ts';
import { itemsOf } from './view.ts';

type MissReason = Extract<Comparison, { type: 'miss' }>['reason'];

/** What is known of the other response before the turn runs. */
export interface OtherPrompt {
  /** 0 when there is none to compare with. */
  readonly promptTokens: number;
  /** Why its state could not be reused, should it turn out so. */
  readonly reason: MissReason;
}

/** Caches of peers that count in blocks reuse all but the last one begun, and the last token of a prompt is always computed. */
const blockTokens = 16;

/**
 * What a prompt that goes on from the other response could have reused at most is as long as that one's prompt, or its own if it
 * is shorter. A hit reused it all but for a block, and more than that block; a miss says how much of it was computed instead.
 */
export function compare(
  { promptTokens, reason }: OtherPrompt,
  usage: Pick<Usage, 'promptTokens' | 'reusedTokens'>,
): Comparison {
  const missedTokens = Math.max(0, Math.min(promptTokens, usage.promptTokens) - usage.reusedTokens);
  const isAll = missedTokens <= blockTokens && missedTokens < usage.reusedTokens;
  if (promptTokens > 0 && isAll) return { type: 'hit' };
  return { type: 'miss', missedTokens, reason };
}

/**
 * The reason is the first that holds: no such response of the tenant (`not_found`); other tools or tool choice; another output
 * format; messages that don't begin with all of its own (`input_changed`). When none does, or it has no answer yet, its state
 * just isn't there any more (`unavailable`).
 */
export async function otherPrompt(
  tenant: string,
  otherId: string,
  { generate, response }: { generate: GenerateRequest; response: ResponseRecord },
  parts: { sessions: SessionStore; pictures: Pictures; engine: InferencePort },
): Promise<OtherPrompt> {
  const place = parseResponseId(otherId);
  const record = place && (await parts.sessions.find(tenant, place.session))?.record;
  const isPlace = ({ serial }: ResponseRecord): boolean => serial === place?.serial;
  if (record?.intent && isPlace(record.intent.response)) return { promptTokens: 0, reason: 'unavailable' };
  const other = record?.responses.find(isPlace);
  if (!record || !other) return { promptTokens: 0, reason: 'not_found' };
  if (other.status === 'failed' || other.status === 'cancelled') {
    return { promptTokens: 0, reason: 'unavailable' };
  }
  const items = itemsOf(record, joinRuns(other.context, other.input));
  const shown = withoutOldest(items, other.result?.droppedItems ?? 0);
  const messages = promptMessages(tenant, shown, {
    record,
    instructions: other.instructions,
    pictures: parts.pictures,
  });
  const sameTools = other.toolsDigest === response.toolsDigest;
  const reason = !sameTools
    ? 'tools_changed'
    : other.formatDigest !== response.formatDigest
      ? 'text_format_changed'
      : beginsWith(generate.messages, messages)
        ? 'unavailable'
        : 'input_changed';
  if (other.result) return { promptTokens: other.result.usage.promptTokens, reason };
  const { tools, toolChoice } = sameTools ? generate : {};
  const count = await parts.engine.countTokens({
    tenant,
    messages,
    ...(tools && { tools }),
    ...(toolChoice && { toolChoice }),
  });
  return { promptTokens: count.promptTokens, reason };
}

function beginsWith(all: readonly ChatMessage[], first: readonly ChatMessage[]): boolean {
  return first.every((message, index) => {
    const same = all[index];
    return same !== undefined && contentKey(same) === contentKey(message);
  });
}

/** Equal for messages that a prompt shows alike. */
function contentKey({ role, content, toolCalls = [], tokens }: ChatMessage): string {
  const parts = content.map((part) =>
    part.type === 'text' ? part.text : [part.image.digest, part.image.width, part.image.height],
  );
  return JSON.stringify([role, parts, toolCalls.map((call) => [call.name, call.arguments]), tokens ?? null]);
}
