import type { ChatMessage, ContentPart } from '../../core/request.ts';
import type { FunctionTool, ToolCall } from '../../core/tools.ts';
import { toolCallEnd, toolCallStart, toolResponseEnd, toolResponseStart } from './toolMarkup.ts';

/** Words of our own: the only ones of a message that may become special tokens. */
export interface MarkupPart {
  readonly type: 'markup';
  readonly text: string;
}

export type PromptPart = ContentPart | MarkupPart;

/** A message as chat templates without tools know it. */
export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: readonly PromptPart[];
  readonly tokens?: readonly number[];
  /** The message of the request that it was made of, or the first one of them. */
  readonly source: number;
}

/**
 * Writes tools, calls and their results into the texts of ordinary messages, exactly as the chat templates of Qwen3-VL do
 * it (`chat_template.json` of Qwen/Qwen3-VL-8B-Instruct): tools behind the system text, calls behind the assistant's
 * text, consecutive results as one user message. A template of the model's own never sees any of them, so that models
 * without tools in their template work the same way.
 */
export function withToolsAsText(
  messages: readonly ChatMessage[],
  tools: readonly FunctionTool[] = [],
): PromptMessage[] {
  const prompt: PromptMessage[] = [];
  if (tools.length > 0 && messages[0]?.role !== 'system') {
    prompt.push({ role: 'system', content: toolsText(tools), source: 0 });
  }
  for (const [source, message] of messages.entries()) {
    const { role, content, tokens, toolCalls = [] } = message;
    if (role === 'tool') {
      const results = [markup(`${toolResponseStart}\n`), ...content, markup(`\n${toolResponseEnd}`)];
      const isFirst = messages[source - 1]?.role !== 'tool';
      const before = isFirst ? undefined : prompt.pop();
      prompt.push({
        role: 'user',
        content: before ? [...before.content, markup('\n'), ...results] : results,
        source: before?.source ?? source,
      });
    } else if (role === 'system' && source === 0 && tools.length > 0) {
      prompt.push({ role, content: [...content, markup('\n\n'), ...toolsText(tools)], source });
    } else {
      // Calls of a committed answer are in its tokens.
      const calls = tokens ? [] : callsText(toolCalls, content.some(isWritten));
      prompt.push({ role, content: [...content, ...calls], source, ...(tokens && { tokens }) });
    }
  }
  return prompt;
}

function toolsText(tools: readonly FunctionTool[]): PromptPart[] {
  return [
    markup(
      '# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>',
    ),
    ...tools.flatMap((tool) => [markup('\n'), text(pythonJson(described(tool)))]),
    markup(
      `\n</tools>\n\nFor each function call, return a json object with function name and arguments within ${toolCallStart}${toolCallEnd} XML tags:\n${toolCallStart}\n{"name": <function-name>, "arguments": <args-json-object>}\n${toolCallEnd}`,
    ),
  ];
}

/** A tool in the shape of Chat Completions, which models see in training. */
function described({ name, description, parameters }: FunctionTool): unknown {
  const known = { name, ...(description !== undefined && { description }) };
  return {
    type: 'function',
    function: { ...known, parameters: parameters ?? { type: 'object', properties: {} } },
  };
}

function callsText(calls: readonly ToolCall[], hasText: boolean): PromptPart[] {
  return calls.flatMap(({ name, arguments: given }, index) => [
    markup(`${index > 0 || hasText ? '\n' : ''}${toolCallStart}\n{"name": `),
    text(JSON.stringify(name)),
    markup(', "arguments": '),
    text(given),
    markup(`}\n${toolCallEnd}`),
  ]);
}

function isWritten(part: ContentPart): boolean {
  return part.type === 'image' || part.text !== '';
}

function markup(words: string): MarkupPart {
  return { type: 'markup', text: words };
}

function text(words: string): ContentPart {
  return { type: 'text', text: words };
}

/** JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it, which `tojson` in templates stands for. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${pythonJson(member)}`).join(', ')}}`;
}
