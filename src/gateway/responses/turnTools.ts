import { failure } from '../../core/errors.ts';
import type { FunctionTool, OutputFormat } from '../../core/tools.ts';
import type { TurnRequest } from '../../session/turnRequest.ts';
import type { WireText, WireTool, WireToolChoice } from './toolSchema.ts';

/** The tools a turn may call, and whether it must. @throws invalid_parameter for a choice among tools that aren't there */
export function turnTools(
  tools: readonly WireTool[] | null | undefined,
  choice: WireToolChoice | null | undefined,
): Pick<TurnRequest, 'tools' | 'toolChoice'> {
  const all = tools ?? [];
  if (choice === null || choice === undefined) return toolList(all);
  if (typeof choice === 'string') return { ...toolList(all), toolChoice: choice };
  if (choice.type === 'function') {
    demandKnown(all, choice.name, 'tool_choice.name');
    return { ...toolList(all), toolChoice: { name: choice.name } };
  }
  for (const [index, { name }] of choice.tools.entries()) {
    demandKnown(all, name, `tool_choice.tools[${index}].name`);
  }
  const allowed = all.filter(({ name }) => choice.tools.some((named) => named.name === name));
  return { ...toolList(allowed), toolChoice: choice.mode };
}

/** Undefined: plain text. */
export function turnFormat(text: WireText | null | undefined): OutputFormat | undefined {
  const format = text?.format;
  if (format?.type === 'json_object') return { type: 'json_object' };
  return format?.type === 'json_schema' ? { type: 'json_schema', schema: format.schema } : undefined;
}

function toolList(tools: readonly WireTool[]): Pick<TurnRequest, 'tools'> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(
      ({ name, description, parameters, strict }): FunctionTool => ({
        name,
        ...(description != null && { description }),
        ...(parameters != null && { parameters }),
        ...(strict != null && { strict }),
      }),
    ),
  };
}

function demandKnown(tools: readonly WireTool[], name: string, param: string): void {
  if (tools.some((tool) => tool.name === name)) return;
  const names = tools.length > 0 ? `only ${tools.map((tool) => tool.name).join(', ')}` : 'none';
  throw failure('invalid_parameter', { param, problem: `there is no tool ${name}, tools has ${names}` });
}
