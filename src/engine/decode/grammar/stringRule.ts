import type { JsonRules } from './jsonRules.ts';
import { type Gbnf, type GrammarRules, grammarLimits } from './rules.ts';
import type { SchemaNode } from './schemaNode.ts';
import { stringFormats } from './stringFormats.ts';
import { stringPattern } from './stringPattern.ts';

const maxPatternChars = 2000;

/** A string by its length in code points, or its pattern, or its format; two of them together can't be enforced. */
export function stringRule(node: SchemaNode, json: JsonRules, rules: GrammarRules): Gbnf {
  const min = node.count('minLength') ?? 0;
  const max = node.count('maxLength');
  const format = node.text('format');
  const given = node.text('pattern');
  for (const [keyword, value] of [
    ['minLength', min],
    ['maxLength', max ?? 0],
  ] as const) {
    if (value <= grammarLimits.maxRepetition) continue;
    node.refuse(keyword, `the limit is ${grammarLimits.maxRepetition}, got ${value}`);
  }
  if (max !== undefined && max < min) node.refuse('maxLength', `${max} is less than minLength ${min}`);

  if (given === undefined && format === undefined) {
    if (min === 0 && max === undefined) return json.string;
    return rules.add(`"\\"" ${rules.repeat(json.character, min, max)} "\\""`);
  }
  const keyword = given === undefined ? 'format' : 'pattern';
  if (given !== undefined && format !== undefined)
    node.refuse('format', 'it cannot be enforced together with pattern');
  if (min > 0 || max !== undefined) node.refuse(keyword, 'it cannot be enforced together with a length');
  const pattern = given ?? stringFormats[format as string];
  if (pattern === undefined) {
    node.refuse('format', `${format} cannot be enforced, ${Object.keys(stringFormats).join(', ')} can`);
  }
  if (pattern.length > maxPatternChars) {
    node.refuse(keyword, `the limit is ${maxPatternChars} characters, got ${pattern.length}`);
  }
  const inside = stringPattern(pattern, rules, (problem) => node.refuse(keyword, problem));
  return rules.add(`"\\"" ${inside} "\\""`);
}
