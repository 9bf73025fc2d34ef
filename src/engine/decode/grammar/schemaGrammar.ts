import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../../../core/tools.ts';
import { disjoint } from './disjoint.ts';
import { JsonRules } from './jsonRules.ts';
import { numberRule } from './numberRule.ts';
import { objectRule } from './objectRule.ts';
import { type Gbnf, type GrammarRules, grammarLimits, literal } from './rules.ts';
import { SchemaDocument } from './schemaDocument.ts';
import { type JsonType, jsonTypes, keywordsOf, type SchemaNode, unsupported } from './schemaNode.ts';
import { stringRule } from './stringRule.ts';

export const schemaLimits = {
  maxDepth: 64,
  /** Schemas inside the schema, itself included. */
  maxSchemas: 2000,
} as const;

/**
 * Turns JSON Schemas (draft 2020-12, 2019-09, 7) into grammar rules, whose texts are all valid by the schema. The other
 * way round not every valid text is one: properties come in the order they are declared in and undeclared ones only where
 * `additionalProperties` asks for them, numbers have at most 15 digits before and behind the point, white space is bounded.
 * A schema that can't be enforced so is refused, never weakened.
 */
export class SchemaGrammar {
  readonly json: JsonRules;
  readonly rules: GrammarRules;
  readonly #document: SchemaDocument;
  readonly #references = new Map<string, Gbnf>();
  #schemas = 0;
  #depth = 0;

  /** @param path what errors call the schema, `format.schema` */
  constructor(root: JsonSchema, path: string, rules: GrammarRules) {
    this.rules = rules;
    this.json = new JsonRules(rules);
    this.#document = new SchemaDocument(root, path);
  }

  /** @throws unsupported_parameter, invalid_parameter naming the place in the schema */
  root(): Gbnf {
    return this.rule(this.#document.root);
  }

  rule(node: SchemaNode | true): Gbnf {
    if (node === true) return this.json.value;
    const { maxDepth, maxSchemas } = schemaLimits;
    if (++this.#schemas > maxSchemas)
      throw unsupported(node.path, `the limit is ${maxSchemas} schemas in one`);
    if (++this.#depth > maxDepth) throw unsupported(node.path, `schemas lie more than ${maxDepth} deep`);
    const made = this.#rule(node);
    this.#depth--;
    return made;
  }

  #rule(node: SchemaNode): Gbnf {
    if (node.has('$ref')) return this.#reference(node);
    if (node.has('allOf')) {
      node.standsAlone('allOf');
      const [, second] = node.list('allOf');
      if (second !== undefined) node.refuse('allOf', 'only one schema in it can be enforced');
      return this.rule(node.child('allOf', 0));
    }
    if (node.has('anyOf')) return this.#union(node, 'anyOf');
    if (node.has('oneOf')) return this.#union(node, 'oneOf');
    if (node.has('enum') || node.has('const')) return this.#values(node);
    const types = typesOf(node);
    for (const type of jsonTypes) {
      for (const keyword of keywordsOf[type]) {
        if (node.has(keyword) && !types.some((own) => keywordsOf[own].includes(keyword))) {
          node.refuse(keyword, `it means nothing for the type ${types.join(', ')}`);
        }
      }
    }
    return this.rules.choice(types.map((type) => this.#ofType(type, node)));
  }

  #ofType(type: JsonType, node: SchemaNode): Gbnf {
    if (type === 'object') return objectRule(node, this);
    if (type === 'array') return this.#array(node);
    if (type === 'string') return stringRule(node, this.json, this.rules);
    if (type === 'boolean') return this.json.boolean;
    if (type === 'null') return this.json.null;
    return numberRule(type, node, this.json, this.rules);
  }

  #array(node: SchemaNode): Gbnf {
    const min = node.count('minItems') ?? 0;
    const max = node.count('maxItems');
    if ((max ?? min) > grammarLimits.maxRepetition) {
      node.refuse(max === undefined ? 'minItems' : 'maxItems', `the limit is ${grammarLimits.maxRepetition}`);
    }
    if (node.schema.uniqueItems === true && (max ?? 2) > 1) {
      node.refuse('uniqueItems', 'it cannot be enforced');
    }
    const first = node.has('prefixItems') ? node.list('prefixItems') : [];
    if (max !== undefined && max < Math.max(min, first.length)) {
      node.refuse('maxItems', `${max} is less than the items there must be`);
    }
    const given = first.map((_, index) => this.rule(node.child('prefixItems', index)));
    // Left out, anything may follow the first items; then nothing does, unless it must.
    const open = first.length === 0 || min > first.length || node.has('items');
    if (node.schema.items === false) {
      if (min > first.length) node.refuse('items', `false leaves ${first.length} of at least ${min} items`);
      return this.json.tuple(given, undefined, 0, undefined);
    }
    const rest = !open
      ? undefined
      : max === 0
        ? this.json.value
        : this.rule(node.has('items') ? node.child('items') : true);
    return this.json.tuple(given, rest, min, max);
  }

  #union(node: SchemaNode, keyword: 'anyOf' | 'oneOf'): Gbnf {
    node.standsAlone(keyword, 'type');
    const branches = node.list(keyword).map((_, index) => node.child(keyword, index));
    if (node.has('type')) {
      const types = typesOf(node);
      for (const branch of branches) {
        const resolved = this.#document.resolve(branch);
        const fits =
          resolved !== true &&
          resolved.has('type') &&
          typesOf(resolved).every((type) => types.includes(type));
        if (!fits) node.refuse(keyword, 'it cannot be enforced together with type');
      }
    }
    this.#document.checkAlternatives(node);
    if (keyword === 'oneOf' && !disjoint(branches.map((branch) => this.#document.resolve(branch)))) {
      node.refuse('oneOf', 'its schemas may be valid together; say anyOf');
    }
    return this.rules.choice(branches.map((branch) => this.rule(branch)));
  }

  #values(node: SchemaNode): Gbnf {
    node.standsAlone('enum', 'const', 'type');
    const types = node.has('type') ? typesOf(node) : jsonTypes;
    const listed = node.has('enum') ? node.list('enum') : [node.schema.const];
    const values = listed.filter(
      (value) =>
        types.some((type) => isOfType(value, type)) &&
        (!node.has('const') || isDeepStrictEqual(value, node.schema.const)),
    );
    if (values.length === 0) node.refuse(node.has('enum') ? 'enum' : 'const', 'no value fits the schema');
    return this.rules.choice(values.map((value) => this.rules.add(literal(JSON.stringify(value)))));
  }

  /** References to one place share a rule, so that a schema may contain itself. */
  #reference(node: SchemaNode): Gbnf {
    node.standsAlone('$ref');
    const reference = node.text('$ref') as string;
    const known = this.#references.get(reference);
    if (known) return known;
    this.#document.checkAlternatives(node);
    const name = this.rules.reserve();
    this.#references.set(reference, name);
    this.rules.define(name, this.rule(this.#document.target(node, reference)));
    return name;
  }
}

/** Without `type` the keywords tell what is meant; anything may be, when there are none. */
function typesOf(node: SchemaNode): readonly JsonType[] {
  const { type } = node.schema;
  if (type === undefined) {
    const meant = jsonTypes.filter(
      (name) => name !== 'integer' && keywordsOf[name].some((word) => node.has(word)),
    );
    return meant.length > 0 ? meant : jsonTypes;
  }
  const names: readonly unknown[] = Array.isArray(type) ? type : [type];
  const unknown = names.find((name) => !jsonTypes.includes(name as JsonType));
  if (unknown !== undefined || names.length === 0) {
    node.wrong('type', `must be one of ${jsonTypes.join(', ')}, got ${JSON.stringify(unknown ?? type)}`);
  }
  // Every integer is a number: as two alternatives a whole number would have two meanings.
  return (names as JsonType[]).filter((name) => name !== 'integer' || !names.includes('number'));
}

function isOfType(value: unknown, type: JsonType): boolean {
  if (value === null) return type === 'null';
  if (Array.isArray(value)) return type === 'array';
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
