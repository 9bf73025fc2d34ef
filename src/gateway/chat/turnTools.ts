import { failure } from '../../core/errors.ts';
import type { FunctionTool } from '../../core/tools.ts';
import type { TurnRequest } from '../../session/turnRequest.ts';
import type { ChatTool, ChatToolChoice } from './toolSchema.ts';

/** The tools a turn may call, and whether it must. @throws invalid_parameter for a choice among tools that aren't there */
export function turnTools(
  tools: readonly ChatTool[],
  choice: ChatToolChoice | null | undefined,
): Pick<TurnRequest, 'tools' | 'toolChoice'> {
  if (choice === null || choice === undefined) return toolList(tools);
  if (typeof choice === 'string') return { ...toolList(tools), toolChoice: choice };
  if (choice.type === 'function') {
    const { name } = choice.function;
    demandKnown(tools, name, 'tool_choice.function.name');
    return { ...toolList(tools), toolChoice: { name } };
  }
  const { mode, tools: listed } = choice.allowed_tools;
  const allowed = listed.map(({ function: { name } }, index) => {
    demandKnown(tools, name, `tool_choice.allowed_tools.tools[${index}].function.name`);
    return name;
  });
  return {
    ...toolList(tools.filter(({ function: { name } }) => allowed.includes(name))),
    toolChoice: mode,
  };
}

function toolList(tools: readonly ChatTool[]): Pick<TurnRequest, 'tools'> {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(
      ({ function: { name, description, parameters, strict } }): FunctionTool => ({
        name,
        ...(description != null && { description }),
        ...(parameters != null && { parameters }),
        ...(strict != null && { strict }),
      }),
    ),
  };
}

function demandKnown(tools: readonly ChatTool[], name: string, param: string): void {
  const known = tools.map(({ function: tool }) => tool.name);
  if (known.includes(name)) return;
  const names = known.length > 0 ? `only ${known.join(', ')}` : 'none';
  throw failure('invalid_parameter', { param, problem: `there is no tool ${name}, tools has ${names}` });
}
