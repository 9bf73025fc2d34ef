import { AfterimageError } from '../../../core/errors.ts';
import type { GenerateRequest } from '../../../core/request.ts';
import type { FunctionTool, OutputFormat } from '../../../core/tools.ts';
import { toolCallEnd, toolCallStart } from '../../prompt/toolMarkup.ts';
import { JsonRules } from './jsonRules.ts';
import { type Gbnf, GrammarRules, literal } from './rules.ts';
import { SchemaGrammar } from './schemaGrammar.ts';
import { unsupported } from './schemaNode.ts';

/**
 * The grammar an answer must follow, in llama.cpp's notation; undefined when it may be any text. With tools to choose from
 * and a format, the answer is calls or a text of that format. Arguments follow their tool's parameters where the tool is
 * strict or the schema can be enforced, else they are some JSON object.
 * @throws unsupported_parameter, invalid_parameter for schemas, naming the place
 */
export function answerGrammar(request: GenerateRequest): string | undefined {
  const { format, tools = [], toolChoice = tools.length > 0 ? 'auto' : 'none' } = request;
  const rules = new GrammarRules(format ? 'format.schema' : 'tools');
  const formatted = format && formatRule(format, rules);
  if (toolChoice === 'none' || tools.length === 0) {
    if (formatted !== undefined) return rules.text(formatted);
    // The model knows the tools from the prompt, but must not call them.
    return tools.length > 0 ? rules.text(textThen(undefined, rules)) : undefined;
  }
  if (toolChoice === 'auto' && formatted === undefined && !tools.some((tool) => tool.strict))
    return undefined;

  const isCallable = ({ name }: FunctionTool): boolean =>
    typeof toolChoice === 'string' || name === toolChoice.name;
  const call = rules.choice(
    tools.flatMap((tool, index) =>
      isCallable(tool) ? callRule(tool, `tools[${index}].parameters`, rules) : [],
    ),
  );
  const calls =
    request.parallelToolCalls === false ? call : rules.add(`${call} ${rules.add(`"\\n" ${call}`)}*`);
  if (toolChoice !== 'auto') return rules.text(calls);
  return rules.text(formatted === undefined ? textThen(calls, rules) : rules.choice([formatted, calls]));
}

function formatRule(format: OutputFormat, rules: GrammarRules): Gbnf {
  if (format.type === 'json_object') return new JsonRules(rules).anyObject;
  return new SchemaGrammar(format.schema, 'format.schema', rules).root();
}

function callRule(tool: FunctionTool, path: string, rules: GrammarRules): Gbnf {
  const head = `${toolCallStart}\n{"name": ${JSON.stringify(tool.name)}, "arguments": `;
  return rules.add(`${literal(head)} ${argumentsRule(tool, path, rules)} ${literal(`}\n${toolCallEnd}`)}`);
}

/** Always an object. */
function argumentsRule(
  { parameters, strict = false }: FunctionTool,
  path: string,
  rules: GrammarRules,
): Gbnf {
  const json = new JsonRules(rules);
  if (parameters === undefined) return json.object(undefined, true);
  const isObject = typeof parameters === 'object' && parameters.type === 'object';
  if (strict && isObject) return new SchemaGrammar(parameters, path, rules).root();
  if (strict) throw unsupported(path, 'a strict tool needs parameters of the type object');
  if (!isObject) return json.anyObject;
  try {
    // Tried apart, so that what a refused schema leaves behind counts for nothing.
    new SchemaGrammar(parameters, path, new GrammarRules(path)).root();
  } catch (error) {
    if (error instanceof AfterimageError) return json.anyObject;
    throw error;
  }
  return new SchemaGrammar(parameters, path, rules).root();
}

/**
 * Any text without `<tool_call>` in it, followed by `calls` or nothing: the automaton that looks for that word (Knuth,
 * Morris, Pratt), a rule for each number of its letters that the text ends with.
 */
function textThen(calls: Gbnf | undefined, rules: GrammarRules): Gbnf {
  const word = toolCallStart;
  const states = [...word].map(() => rules.reserve());
  for (const [matched, state] of states.entries()) {
    // Only the word's first letter is a `<`: after a mismatch at most that one is matched.
    const next = word[matched] as string;
    const alternatives = calls === undefined ? ['""'] : ['""', calls];
    if (matched < word.length - 1) alternatives.push(`${literal(next)} ${states[matched + 1]}`);
    if (matched > 0) alternatives.push(`"<" ${states[1]}`);
    alternatives.push(`[^<${matched > 0 ? next : ''}] ${states[0]}`);
    rules.define(state, alternatives.join(' | '));
  }
  return states[0] as string;
}
