import type { OpenAPIHono } from '@hono/zod-openapi';
import { AfterimageError } from '../../core/errors.ts';
import type { FileView } from '../../session/fileVault.ts';
import { newRoutes } from '../http/newRoutes.ts';
import { listBody } from '../items/listQuery.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { contentHeaders } from './contentHeaders.ts';
import { createFile, deleteFile, getFile, getFileContent, listFiles } from './definitions.ts';
import { knownPurpose, readUpload } from './uploadForm.ts';

/** OpenAI's Files API. */
export function fileRoutes({ sessions: { files }, config }: GatewayParts): OpenAPIHono<GatewayEnv> {
  return newRoutes()
    .openapi(createFile, async (c) => {
      const { bytes, ...about } = await readUpload(c.req.raw, config.maxFileBytes);
      // Every file can be shown in a turn later, whatever it was uploaded for.
      await c.get('spend')({ pictures: 1 });
      const put = files.put(c.get('principal').tenant, bytes, about);
      const { file, known } = await put.catch((error: unknown) => {
        throw aboutFile(error);
      });
      return c.json(wireFile(file, { known }), 200);
    })
    .openapi(listFiles, async (c) => {
      const { after, limit, order, purpose } = c.req.valid('query');
      const page = await files.list(c.get('principal').tenant, {
        ...(after !== undefined && { after }),
        ...(limit !== undefined && { limit }),
        ...(order !== undefined && { order }),
        ...(purpose !== undefined && { purpose: knownPurpose(purpose) }),
      });
      const data = page.data.map((file) => wireFile(file));
      return c.json(listBody(data, page.hasMore), 200);
    })
    .openapi(getFile, async (c) => {
      const { file_id: id } = c.req.valid('param');
      return c.json(wireFile(await files.get(c.get('principal').tenant, id)), 200);
    })
    .openapi(getFileContent, async (c) => {
      const { file_id: id } = c.req.valid('param');
      const { tenant } = c.get('principal');
      const { filename } = await files.get(tenant, id);
      const bytes = await files.content(tenant, id);
      return c.body(new Uint8Array(bytes), 200, contentHeaders(bytes, filename));
    })
    .openapi(deleteFile, async (c) => {
      const { file_id: id } = c.req.valid('param');
      const { bytesFreed } = await files.delete(c.get('principal').tenant, id);
      return c.json(
        { id, object: 'file' as const, deleted: true as const, removed: { bytes_freed: bytesFreed } },
        200,
      );
    });
}

function wireFile(file: FileView, about: { known?: boolean } = {}) {
  const { id, bytes, filename, purpose, createdAtMs, expiresAtMs, blobId } = file;
  return {
    id,
    object: 'file' as const,
    bytes,
    created_at: seconds(createdAtMs),
    ...(expiresAtMs !== null && { expires_at: seconds(expiresAtMs) }),
    filename,
    purpose,
    status: 'processed' as const,
    afterimage: { sha256: blobId, ...about },
  };
}

/** The same error, with the field of the form that the picture came in. */
function aboutFile(error: unknown): unknown {
  if (!(error instanceof AfterimageError) || !error.code.startsWith('image_')) return error;
  return new AfterimageError(error.code, { ...error.details, param: 'file' }, { cause: error });
}

const seconds = (ms: number): number => Math.floor(ms / 1_000);
