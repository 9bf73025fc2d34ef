import { only } from '../http/only.ts';
import type { ChatMessageBody } from './messageSchema.ts';
import type { ChatBody } from './requestSchema.ts';

const noLogprobs = 'probabilities of tokens are not given out';
const textOnly = 'answers are text';
const noLife = 'state lives as long as the server keeps it anyway';

/**
 * Refuses what OpenAI's API has and this server can't do, instead of leaving it out unseen. A field that is absent, null or
 * asks for what happens anyway is fine.
 * @throws unsupported_parameter
 */
export function refuseUnsupported(body: ChatBody): void {
  const { prompt_cache_options: cache, stream_options: stream } = body;
  only('n', body.n, [1], 'send the request again for another answer');
  only('logprobs', body.logprobs, [false], noLogprobs);
  only('top_logprobs', body.top_logprobs, [0], noLogprobs);
  only('store', body.store, [false], 'chat completions are not kept, responses are');
  only('audio', body.audio, [], textOnly);
  body.modalities?.forEach((value, index) => {
    only(`modalities[${index}]`, value, ['text'], textOnly);
  });
  only('functions', body.functions, [], 'use tools');
  only('function_call', body.function_call, [], 'use tool_choice');
  only('prediction', body.prediction, [], 'there is no speculative decoding');
  only('moderation', body.moderation, [], 'there is no moderation');
  only('web_search_options', body.web_search_options, [], 'there is no web search');
  only('reasoning_effort', body.reasoning_effort, ['none'], 'this model does not reason');
  only('verbosity', body.verbosity, ['medium'], 'say it in a system message');
  only('service_tier', body.service_tier, ['auto', 'default'], 'there is one tier');
  only('prompt_cache_options.mode', cache?.mode, ['implicit'], 'every prefix is reused by itself');
  only('prompt_cache_options.ttl', cache?.ttl, ['30m'], noLife);
  only('prompt_cache_retention', body.prompt_cache_retention, ['in_memory', 'in-memory'], noLife);
  only('stream_options.include_obfuscation', stream?.include_obfuscation, [false], 'chunks are never padded');
  body.messages.forEach(refuseInMessage);
}

function refuseInMessage(message: ChatMessageBody, index: number): void {
  const at = `messages[${index}]`;
  if (message.role !== 'tool') only(`${at}.name`, message.name, [], 'the model is not told names');
  if (message.role !== 'assistant') return;
  only(`${at}.audio`, message.audio, [], textOnly);
  only(`${at}.function_call`, message.function_call, [], 'use tool_calls');
}
