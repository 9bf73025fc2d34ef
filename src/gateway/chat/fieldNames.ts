import { AfterimageError } from '../../core/errors.ts';
import type { PlacedItem } from './toInput.ts';

/** Fields under the names they have in the layers below, and what Chat Completions calls them. */
const renamed: readonly (readonly [RegExp, string])[] = [
  [/^input$/, 'messages'],
  // Of a prompt, where system messages are joined: their numbers are others than the request's.
  [/^messages[.[].*/s, 'messages'],
  [/^max_?output_?tokens$/i, 'max_completion_tokens'],
  [/^(?:text\.)?format\.schema(?=$|[.[])/, 'response_format.json_schema.schema'],
  [/^(?:text\.)?format(?=$|[.[])/, 'response_format'],
  [/^(tools\[\d+\])\.(name|description|parameters|strict)(?=$|[.[])/, '$1.function.$2'],
  [/^toolChoice$/, 'tool_choice'],
  [/^parallelToolCalls$/, 'parallel_tool_calls'],
  [/^logitBias\./, 'logit_bias.'],
];

const renamedInItem: Readonly<Record<PlacedItem['item']['type'], readonly (readonly [RegExp, string])[]>> = {
  message: [[/^(\.content\[\d+\])\.(?:image_url|file_id)$/, '$1.image_url.url']],
  function_call: [
    [/^\.call_id$/, '.id'],
    [/^\.(name|arguments)$/, '.function.$1'],
  ],
  function_call_output: [
    [/^\.call_id$/, '.tool_call_id'],
    [/^\.output(\[\d+\])\.(?:image_url|file_id)$/, '.content$1.image_url.url'],
    [/^\.output/, '.content'],
  ],
  reasoning: [],
  item_reference: [],
};

/** `input[3].output[0].image_url` is `messages[2].content[0].image_url.url` when item 3 was made from message 2. */
export function chatField(param: string, items: readonly PlacedItem[]): string {
  const [, index, rest = ''] = /^input\[(\d+)\](.*)$/s.exec(param) ?? [];
  const placed = index === undefined ? undefined : items[Number(index)];
  return placed ? placed.field + rename(rest, renamedInItem[placed.item.type]) : rename(param, renamed);
}

/** The same error about the field as the client knows it. */
export function inChatFields(error: unknown, items: readonly PlacedItem[]): unknown {
  if (!(error instanceof AfterimageError)) return error;
  const isTooLong = error.code === 'context_length_exceeded';
  if (error.details.param === undefined && !isTooLong) return error;
  const param = isTooLong ? 'messages' : chatField(String(error.details.param), items);
  return new AfterimageError(error.code, { ...error.details, param }, { cause: error });
}

function rename(field: string, rules: readonly (readonly [RegExp, string])[]): string {
  const rule = rules.find(([pattern]) => pattern.test(field));
  return rule ? field.replace(rule[0], rule[1]) : field;
}
