import { failure } from '../../../core/errors.ts';

export type SchemaObject = Readonly<Record<string, unknown>>;

export const jsonTypes = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
export type JsonType = (typeof jsonTypes)[number];

/** Say nothing about which values are valid. */
const annotations = new Set([
  'title',
  'description',
  'default',
  'examples',
  'example',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
]);

/** What a grammar can enforce, by the type it speaks of. JSON Schema ignores a keyword for values of other types. */
export const keywordsOf: Readonly<Record<JsonType, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties', 'propertyNames'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  boolean: [],
  null: [],
};

const known = new Set([
  'type',
  'enum',
  'const',
  '$ref',
  'anyOf',
  'oneOf',
  'allOf',
  ...Object.values(keywordsOf).flat(),
]);

/** One place in a schema document: the schema and where it stands, as errors name it. */
export class SchemaNode {
  readonly schema: SchemaObject;
  readonly path: string;

  constructor(schema: SchemaObject, path: string) {
    this.schema = schema;
    this.path = path;
  }

  /** @returns `true` for the schema of any value. @throws invalid_parameter, unsupported_parameter for keywords we lack */
  static of(schema: unknown, path: string): SchemaNode | true {
    if (schema === true) return true;
    if (schema === false) throw unsupported(path, 'no value fits the schema false');
    if (!isObject(schema)) throw invalid(path, 'must be an object or a boolean');
    const node = new SchemaNode(schema, path);
    for (const keyword of Object.keys(schema)) {
      if (!known.has(keyword) && !annotations.has(keyword))
        node.refuse(keyword, 'this keyword cannot be enforced');
    }
    return node.constraints.length === 0 ? true : node;
  }

  has(keyword: string): boolean {
    return this.schema[keyword] !== undefined;
  }

  /** Keywords that are not mere annotations. */
  get constraints(): string[] {
    return Object.keys(this.schema).filter((keyword) => !annotations.has(keyword) && this.has(keyword));
  }

  /** @throws unsupported_parameter when other constraints than these stand beside `keyword`. */
  standsAlone(keyword: string, ...allowed: readonly string[]): void {
    const other = this.constraints.find((name) => name !== keyword && !allowed.includes(name));
    if (other !== undefined) this.refuse(keyword, `it cannot be enforced together with ${other}`);
  }

  child(keyword: string, key?: string | number): SchemaNode | true {
    const value = this.schema[keyword];
    if (key === undefined) return SchemaNode.of(value, `${this.path}.${keyword}`);
    return SchemaNode.of((value as Record<string | number, unknown>)[key], `${this.path}.${keyword}.${key}`);
  }

  /** @throws invalid_parameter */
  list(keyword: string): readonly unknown[] {
    const value = this.schema[keyword];
    if (!Array.isArray(value) || value.length === 0) this.wrong(keyword, 'must be a list that is not empty');
    return value;
  }

  object(keyword: string): SchemaObject {
    const value = this.schema[keyword] ?? {};
    if (!isObject(value)) this.wrong(keyword, 'must be an object');
    return value;
  }

  /** A whole number of at least 0. @throws invalid_parameter */
  count(keyword: string): number | undefined {
    const value = this.number(keyword);
    if (value !== undefined && !(Number.isInteger(value) && value >= 0)) {
      this.wrong(keyword, `must be a whole number of at least 0, got ${value}`);
    }
    return value;
  }

  number(keyword: string): number | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isFinite(value)) this.wrong(keyword, 'must be a number');
    return value;
  }

  text(keyword: string): string | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.wrong(keyword, 'must be a text');
    return value;
  }

  /** The schema can't be enforced, because of this keyword. */
  refuse(keyword: string, problem: string): never {
    throw unsupported(`${this.path}.${keyword}`, problem);
  }

  /** The schema is not one. */
  wrong(keyword: string, problem: string): never {
    throw invalid(`${this.path}.${keyword}`, problem);
  }
}

export function unsupported(param: string, problem: string): Error {
  return failure('unsupported_parameter', { param, problem });
}

function invalid(param: string, problem: string): Error {
  return failure('invalid_parameter', { param, problem });
}

function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
