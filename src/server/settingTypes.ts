import { z } from 'zod';

const shown = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
  const error = ({ input }: { input?: unknown }) => `must be a whole number ${range}, got ${shown(input)}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function oneOf<const Value extends string>(values: readonly Value[]) {
  return z.enum(values, {
    error: ({ input }) => `must be one of ${values.join(', ')}, got ${shown(input)}`,
  });
}

export const text = () => {
  const error = ({ input }: { input?: unknown }) => `must be text, not empty, got ${shown(input)}`;
  return z.string({ error }).min(1, { error });
};

export const onOrOff = () =>
  z.boolean({ error: ({ input }) => `must be true or false, got ${shown(input)}` });

export const texts = () =>
  z.array(text(), { error: ({ input }) => `must be a list of texts, got ${shown(input)}` });

/** What is wrong inside an object has an error of its own. */
export const notAnObject = ({ code, input }: { code?: string; input?: unknown }): string | undefined =>
  code === 'invalid_type' ? `must be an object, got ${shown(input)}` : undefined;

/** Same rule as for tenants of keys. */
export const tenantName = () => {
  const error = ({ input }: { input?: unknown }) =>
    `must be 1 to 64 of a-z, 0-9, _ and -, got ${shown(input)}`;
  return z.string({ error }).regex(/^[a-z0-9_-]{1,64}$/, { error });
};

/**
 * The value that was meant by a text of the environment or the command line: `none` is null, lists are separated by commas,
 * objects are JSON. A text that can't be meant so stays a text, for the schema to refuse.
 */
export function fromText(schema: z.ZodType, given: string): unknown {
  let inner = schema;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) {
    if (inner instanceof z.ZodNullable && given === 'none') return null;
    inner = inner.unwrap() as z.ZodType;
  }
  if (inner instanceof z.ZodNumber) return /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given;
  if (inner instanceof z.ZodBoolean) return given === 'true' ? true : given === 'false' ? false : given;
  if (inner instanceof z.ZodArray) return given === '' ? [] : given.split(',').map((one) => one.trim());
  if (inner instanceof z.ZodRecord) return parsed(given);
  return given;
}

function parsed(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch (error) {
    if (error instanceof SyntaxError) return given;
    throw error;
  }
}

/** What is said of a setting, in Markdown: what it is for, and its default. */
export function describeSetting(schema: z.ZodType): { description: string; defaultText: string } {
  const { description = '', defaultText } = z.globalRegistry.get(schema) ?? {};
  return { description, defaultText: defaultText ?? textOf(schema.safeParse(undefined).data) };
}

/** The text that `fromText` takes for a value. */
function textOf(value: unknown): string {
  if (value === null) return '`none`';
  if (Array.isArray(value) || typeof value === 'object') return 'none';
  if (typeof value === 'number') return value < 10_000 ? String(value) : value.toLocaleString('en');
  return `\`${String(value)}\``;
}
