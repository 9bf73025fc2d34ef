import { z } from '@hono/zod-openapi';

const maxPairs = 16;
const maxKeyLength = 64;
const maxValueLength = 512;

const pairsSchema = z
  .record(z.string(), z.string())
  .superRefine((metadata, ctx) => {
    const refuse = (message: string, path: string[] = []) => ctx.addIssue({ code: 'custom', message, path });
    const pairs = Object.entries(metadata);
    if (pairs.length > maxPairs) refuse(`has ${pairs.length} pairs, the limit is ${maxPairs}`);
    for (const [key, value] of pairs) {
      if (key.length > maxKeyLength) {
        refuse(`a key has ${key.length} characters, the limit is ${maxKeyLength}`);
      } else if (value.length > maxValueLength) {
        refuse(`has ${value.length} characters, the limit is ${maxValueLength}`, [key]);
      }
    }
  })
  .openapi({ description: 'Up to 16 pairs; keys up to 64 characters, values up to 512.' });

/** Lengths are in UTF-16 units. */
export const metadataSchema = z.preprocess((value, ctx) => {
  // The one key that schemas of records leave out without a word.
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    ctx.addIssue({ code: 'custom', path: ['__proto__'], message: 'this key cannot be kept' });
  }
  return value;
}, pairsSchema);
