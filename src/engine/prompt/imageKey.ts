import type { ImageName } from '../../core/request.ts';

/** Names an image within a tenant: the same picture at another size is another image. */
export function imageKey({ digest, width, height }: ImageName): string {
  return `${digest}:${width}x${height}`;
}

/** Its size in pixels; undefined for names that are no image's. */
export function sizeOfImage(key: string): { width: number; height: number } | undefined {
  const [, width, height] = /:(\d+)x(\d+)$/.exec(key) ?? [];
  return width && height ? { width: Number(width), height: Number(height) } : undefined;
}
