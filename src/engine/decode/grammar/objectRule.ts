import { anyCharacter, type CharacterSet, inJsonString, just, without } from './characterSet.ts';
import type { JsonRules } from './jsonRules.ts';
import { type Gbnf, type GrammarRules, literal, nothing } from './rules.ts';
import type { SchemaNode } from './schemaNode.ts';

/** What an object's rule needs of the grammar that its properties are part of. */
interface Surroundings {
  readonly json: JsonRules;
  readonly rules: GrammarRules;
  rule(node: SchemaNode | true): Gbnf;
}

/**
 * An object: its declared properties in their order, each left out where it may be, then any number of others where
 * `additionalProperties` asks for them.
 */
export function objectRule(node: SchemaNode, grammar: Surroundings): Gbnf {
  const { json, rules } = grammar;
  checkPropertyNames(node);
  const properties = node.object('properties');
  const required = new Set(node.has('required') ? requiredNames(node) : []);
  const isOpen = node.has('additionalProperties') || Object.keys(properties).length === 0;
  const additional = !isOpen
    ? undefined
    : node.schema.additionalProperties === false
      ? false
      : node.has('additionalProperties')
        ? node.child('additionalProperties')
        : true;

  const declared = Object.keys(properties).map((name) => ({ name, value: node.child('properties', name) }));
  for (const name of required) {
    if (Object.hasOwn(properties, name)) continue;
    if (additional === false)
      node.refuse('required', `${name} is required, and additionalProperties forbids it`);
    declared.push({ name, value: additional ?? true });
  }
  const others =
    additional === false || additional === undefined
      ? undefined
      : json.members(
          keyOutside(
            declared.map(({ name }) => name),
            grammar,
          ),
          grammar.rule(additional),
        );

  // From the last property to the first: what may follow when nothing, or something, stands before it.
  let first: Gbnf | undefined = others;
  let firstCanBeEmpty = true;
  let behind: Gbnf = others ? rules.add(`"," ${json.space} ${others} | ""`) : nothing;
  for (const { name, value } of declared.reverse()) {
    const member = json.member(rules.add(literal(JSON.stringify(name))), grammar.rule(value));
    const here = `${member} ${behind}`;
    const isRequired = required.has(name);
    first = isRequired || first === undefined ? rules.add(here) : rules.add(`${here} | ${first}`);
    behind = rules.add(isRequired ? `"," ${json.space} ${here}` : `"," ${json.space} ${here} | ${behind}`);
    firstCanBeEmpty &&= !isRequired;
  }
  return json.object(first, firstCanBeEmpty);
}

function requiredNames(node: SchemaNode): readonly string[] {
  const { required } = node.schema;
  if (!Array.isArray(required) || !required.every((name) => typeof name === 'string')) {
    node.wrong('required', 'must be a list of texts');
  }
  return required;
}

/** `{"type": "string"}`, as libraries write it for records, says nothing. */
function checkPropertyNames(node: SchemaNode): void {
  if (!node.has('propertyNames')) return;
  const names = node.child('propertyNames');
  if (names === true || (names.schema.type === 'string' && names.constraints.length === 1)) return;
  node.refuse('propertyNames', 'it cannot be enforced');
}

/** A key that is none of `names`, followed from letter to letter. It has no escapes, so each key has one spelling. */
function keyOutside(names: readonly string[], { rules, json }: Surroundings): Gbnf {
  if (names.length === 0) return json.string;
  const unescaped = without(anyCharacter, [[0, 0x1f], ...just('"\\')]);
  const anyRest = inJsonString(unescaped, rules) as Gbnf;
  const after = (taken: readonly (readonly string[])[]): Gbnf => {
    const branches = new Map<string, string[][]>();
    for (const [letter, ...rest] of taken) {
      if (letter !== undefined) branches.set(letter, [...(branches.get(letter) ?? []), rest]);
    }
    const other = differing(unescaped, [...branches.keys()], rules);
    const alternatives = [...branches].map(([letter, rest]) => `${literal(letter)} ${after(rest)}`);
    if (other) alternatives.push(`${other} ${anyRest}* "\\""`);
    if (taken.every((rest) => rest.length > 0)) alternatives.push('"\\""');
    return rules.add(alternatives.join(' | '));
  };
  // Names that need an escape are out of reach anyway.
  const reachable = names.filter((name) => JSON.stringify(name) === `"${name}"`).map((name) => [...name]);
  return rules.add(`"\\"" ${after(reachable)}`);
}

function differing(set: CharacterSet, letters: readonly string[], rules: GrammarRules): Gbnf | undefined {
  return inJsonString(without(set, just(letters.join(''))), rules);
}
