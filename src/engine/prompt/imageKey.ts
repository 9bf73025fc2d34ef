import type { ImageName } from '../../core/request.ts';

/** Names an image within a tenant: the same picture at another size is another image. */
export function imageKey({ digest, width, height }: ImageName): string {
  return `${digest}:${width}x${height}`;
}
