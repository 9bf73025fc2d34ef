import { z } from '@hono/zod-openapi';

const maxEchoedLength = 40;

/**
 * A union told apart by `type`, in which every other type is `unsupported_parameter` under its own path. `guess` names the type
 * of an object that has none (absent or null).
 */
export function oneOfTypes<Union extends z.ZodType>(
  union: Union,
  types: readonly string[],
  guess: (fields: object) => string | undefined = () => undefined,
) {
  return z.preprocess((value, ctx) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const { type, ...fields } = value as { type?: unknown };
    if (type === undefined || type === null) {
      const guessed = guess(fields);
      return guessed === undefined ? value : { type: guessed, ...fields };
    }
    if (typeof type !== 'string' || types.includes(type)) return value;
    const shown = JSON.stringify(type.slice(0, maxEchoedLength));
    ctx.addIssue({
      code: 'custom',
      path: ['type'],
      message: `${shown} is none of ${types.join(', ')}`,
      params: { unsupported: true },
    });
    return z.NEVER;
  }, union);
}
