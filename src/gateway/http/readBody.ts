import { failure } from '../../core/errors.ts';

/**
 * The bytes of a body, never more than `limitBytes` of them in memory. A declared length over the limit is refused before
 * anything is read. @throws body_too_large, body_incomplete
 */
export async function readBody(request: Request, limitBytes: number): Promise<Buffer> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > limitBytes) throw failure('body_too_large', { bytes: declared, limit: limitBytes });
  if (request.body === null) return Buffer.alloc(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = await reader.read().catch((cause: unknown) => {
      throw failure('body_incomplete', { bytes }, { cause });
    });
    if (chunk.done) return Buffer.concat(chunks, bytes);
    bytes += chunk.value.byteLength;
    if (bytes > limitBytes) {
      await reader.cancel();
      throw failure('body_too_large', { bytes: `more than ${limitBytes}`, limit: limitBytes });
    }
    chunks.push(chunk.value);
  }
}
