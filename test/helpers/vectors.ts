import { createHash } from 'node:crypto';
import { type ImageVector, imageVectorLength, packVector } from '../../src/core/imageVector.ts';
import type { GenerateRequest } from '../../src/core/request.ts';

/** A direction of its own for every name: incompressible as a real vector is. */
export function directionOf(name: string): Float64Array {
  return Float64Array.from({ length: imageVectorLength }, (_, index) => {
    const hash = createHash('sha256').update(`${name} ${index}`).digest();
    return hash.readInt32LE(0);
  });
}

/** Vectors of all pictures of a prompt, for scripts of the scripted engine. */
export function vectorsOf(
  { messages }: GenerateRequest,
  directions: (digest: string) => Float64Array = directionOf,
  space = 'test',
): ImageVector[] {
  return messages.flatMap(({ content }) =>
    content.flatMap((part) => {
      if (part.type !== 'image') return [];
      const { digest, width, height } = part.image;
      return [{ digest, width, height, space, vector: packVector(directions(digest)) }];
    }),
  );
}
