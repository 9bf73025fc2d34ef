import { failure } from '../../core/errors.ts';
import { only } from '../http/only.ts';
import type { CountBody, CreateBody } from './requestSchema.ts';
import type { WireTool } from './toolSchema.ts';

const noReasoning = 'this model does not reason';

/**
 * Refuses what OpenAI's API has and this server can't do, instead of leaving it out unseen. A field that is absent, null or
 * asks for what happens anyway is fine.
 * @throws unsupported_parameter
 */
export function refuseUnsupportedPrompt(body: CountBody): void {
  const { reasoning, text, tools } = body;
  only('reasoning.effort', reasoning?.effort, ['none'], noReasoning);
  only('reasoning.summary', reasoning?.summary, [], noReasoning);
  only('reasoning.generate_summary', reasoning?.generate_summary, [], noReasoning);
  only('reasoning.context', reasoning?.context, ['auto'], noReasoning);
  only('reasoning.mode', reasoning?.mode, ['standard'], noReasoning);
  only('text.verbosity', text?.verbosity, ['medium'], 'say it in the instructions');
  tools?.forEach(refuseTool);
  only('personality', body.personality, [], 'say it in the instructions');
}

/** As `refuseUnsupportedPrompt`, for the fields that only making a response has. */
export function refuseUnsupportedOptions(body: CreateBody): void {
  const { include, prompt_cache_options: cache, stream_options: stream } = body;
  const noLogprobs = 'probabilities of tokens are not given out';
  only('top_logprobs', body.top_logprobs, [0], noLogprobs);
  include?.forEach((value, index) => {
    if (value === 'message.output_text.logprobs') only(`include[${index}]`, value, [], noLogprobs);
  });
  only('stream_options.include_obfuscation', stream?.include_obfuscation, [false], 'events are never padded');
  only('prompt_cache_options.mode', cache?.mode, ['implicit'], 'every prefix is reused by itself');
  only('prompt_cache_options.ttl', cache?.ttl, ['30m'], 'state lives as long as its session');
  const retention = body.prompt_cache_retention;
  only('prompt_cache_retention', retention, ['in_memory', 'in-memory'], 'state lives as long as its session');
  only('service_tier', body.service_tier, ['auto', 'default'], 'there is one tier');
  const compression = body.image?.context_compression;
  only('image.context_compression', compression, ['auto', 'disabled'], 'pictures are never compressed');
  const management = body.context_management;
  const isEmpty = Array.isArray(management) && management.length === 0;
  if (!isEmpty) only('context_management', management, [], 'compaction is not offered, use truncation');
  only('access_programs', body.access_programs, [], 'there are none');
  only('moderation', body.moderation, [], 'there is no moderation');
  only('prompt', body.prompt, [], 'prompt templates are not kept here');
}

/** A turn may say nothing of its own only after something. @throws missing_parameter */
export function refuseNoPrompt({ input, previous_response_id: previous, conversation }: CountBody): void {
  if (input == null && previous == null && conversation == null) {
    throw failure('missing_parameter', { param: 'input' });
  }
}

function refuseTool(tool: WireTool, index: number): void {
  const at = `tools[${index}]`;
  const { allowed_callers: callers, async, defer_loading: deferred, output_schema: output } = tool;
  callers?.forEach((caller, callerIndex) => {
    only(`${at}.allowed_callers[${callerIndex}]`, caller, ['direct'], 'only the model calls functions');
  });
  only(`${at}.async`, async, [false], 'a call is answered before the conversation goes on');
  only(`${at}.defer_loading`, deferred, [false], 'all tools are shown to the model');
  only(`${at}.output_schema`, output, [], 'outputs are not checked');
}
