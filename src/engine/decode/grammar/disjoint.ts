import type { JsonType, SchemaNode } from './schemaNode.ts';

/** Whether no value can fit two of the schemas, as far as their types and constant values tell. False when unsure. */
export function disjoint(schemas: readonly (SchemaNode | true)[]): boolean {
  return schemas.every((one, index) => schemas.slice(index + 1).every((other) => areDisjoint(one, other)));
}

function areDisjoint(a: SchemaNode | true, b: SchemaNode | true): boolean {
  if (a === true || b === true) return false;
  const [kindsA, kindsB] = [kindsOf(a), kindsOf(b)];
  if (kindsA && kindsB && ![...kindsA].some((kind) => kindsB.has(kind))) return true;
  const [valuesA, valuesB] = [valuesOf(a), valuesOf(b)];
  if (valuesA && valuesB) return ![...valuesA].some((value) => valuesB.has(value));
  // A property both must have, and that tells them apart.
  const shared = requiredOf(a).filter((name) => requiredOf(b).includes(name));
  return shared.some((name) => {
    const [x, y] = [property(a, name), property(b, name)];
    return x !== undefined && y !== undefined && areDisjoint(x, y);
  });
}

/** JSON has one kind of number. */
function kindsOf({ schema }: SchemaNode): Set<unknown> | undefined {
  if (schema.type === undefined) return undefined;
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]) as JsonType[];
  return new Set(types.map((type) => (type === 'integer' ? 'number' : type)));
}

function valuesOf({ schema }: SchemaNode): Set<unknown> | undefined {
  const values = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : undefined;
  // Objects and lists have more than one spelling.
  if (values?.some((value) => typeof value === 'object' && value !== null)) return undefined;
  return values && new Set(values);
}

function requiredOf({ schema }: SchemaNode): readonly unknown[] {
  return schema.type === 'object' && Array.isArray(schema.required) ? schema.required : [];
}

function property(node: SchemaNode, name: unknown): SchemaNode | undefined {
  if (typeof name !== 'string' || !Object.hasOwn(node.object('properties'), name)) return undefined;
  const child = node.child('properties', name);
  return child === true ? undefined : child;
}
