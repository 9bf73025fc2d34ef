import type { JsonSchema } from '../../../core/tools.ts';
import { SchemaNode } from './schemaNode.ts';

/** Ways a value may begin through anyOf, oneOf and $ref: llama.cpp follows each of them. */
const maxAlternatives = 200;

/** A whole schema, in which references find their places. */
export class SchemaDocument {
  readonly #root: JsonSchema;
  readonly #path: string;

  /** @param path what errors call the schema */
  constructor(root: JsonSchema, path: string) {
    this.#root = root;
    this.#path = path;
  }

  get root(): SchemaNode | true {
    return SchemaNode.of(this.#root, this.#path);
  }

  /** What a JSON Pointer (RFC 6901) in a `$ref` names. @throws unsupported_parameter, invalid_parameter */
  target(node: SchemaNode, reference: string): SchemaNode | true {
    if (reference !== '#' && !reference.startsWith('#/')) {
      node.refuse('$ref', `only places inside the schema can be referred to, got ${reference}`);
    }
    let schema: unknown = this.#root;
    for (const part of reference.split('/').slice(1)) {
      const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const isInside = typeof schema === 'object' && schema !== null && Object.hasOwn(schema, key);
      schema = isInside ? (schema as Record<string, unknown>)[key] : undefined;
    }
    if (schema === undefined) node.wrong('$ref', `there is no ${reference} in the schema`);
    return SchemaNode.of(schema, this.#path + reference.slice(1).replaceAll('/', '.'));
  }

  /** The schema a node stands for, references followed. */
  resolve(node: SchemaNode | true): SchemaNode | true {
    const seen = new Set<string>();
    let at = node;
    while (at !== true && at.has('$ref')) {
      const reference = at.text('$ref') as string;
      if (seen.has(reference)) at.refuse('$ref', 'it refers to itself');
      seen.add(reference);
      at = this.target(at, reference);
    }
    return at;
  }

  /** @throws unsupported_parameter for more ways to begin than native code can follow, and for a reference to itself */
  checkAlternatives(node: SchemaNode): void {
    this.#countAlternatives(node, new Set());
  }

  #countAlternatives(node: SchemaNode | true, within: Set<unknown>): number {
    if (node === true) return 1;
    if (within.has(node.schema)) node.refuse('$ref', 'it refers to itself');
    within.add(node.schema);
    let count = 1;
    if (node.has('$ref'))
      count = this.#countAlternatives(this.target(node, node.text('$ref') as string), within);
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
      if (!node.has(keyword)) continue;
      count = 0;
      for (const index of node.list(keyword).keys()) {
        count += this.#countAlternatives(node.child(keyword, index), within);
        if (count > maxAlternatives)
          node.refuse(keyword, `it gives more than ${maxAlternatives} alternatives`);
      }
    }
    within.delete(node.schema);
    return count;
  }
}

/** A part of a reference is percent-encoded; one that is not properly so stands for itself. */
function decoded(part: string): string {
  return /^(?:[^%]|%[0-7][0-9A-Fa-f])*$/.test(part) ? decodeURIComponent(part) : part;
}
