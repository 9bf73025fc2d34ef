import type { ChatMessage, GenerateRequest } from '../core/request.ts';
import type { StoredItem } from './items.ts';
import type { Pictures } from './pictures.ts';
import type { SessionRecord } from './record.ts';
import { renderItems } from './render.ts';
import type { TurnRequest } from './turnRequest.ts';

/** Items of a session as messages, with its pictures. */
export function promptMessages(
  tenant: string,
  items: readonly StoredItem[],
  {
    record,
    instructions,
    pictures,
  }: { record: SessionRecord; instructions: string | null; pictures: Pictures },
): ChatMessage[] {
  return renderItems(items, {
    instructions,
    picture: (number) => {
      const picture = record.pictures.find((known) => known.number === number);
      if (!picture) throw new Error(`session ${record.session} has no picture ${number}`);
      return pictures.source(tenant, picture);
    },
  });
}

/** What a turn asks the engine for, on these messages. */
export function engineRequest(
  tenant: string,
  request: TurnRequest,
  messages: readonly ChatMessage[],
): GenerateRequest {
  const { sampling, maxOutputTokens, stop, tools, toolChoice, parallelToolCalls, format, traceparent } =
    request;
  return {
    tenant,
    messages,
    ...(sampling && { sampling }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(stop && { stop }),
    ...(tools && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(parallelToolCalls !== undefined && { parallelToolCalls }),
    ...(format && { format }),
    ...(traceparent !== undefined && { traceparent }),
  };
}
