import { z } from 'zod';
import { failure } from '../core/errors.ts';

export interface ApiFlags {
  readonly url: string;
  readonly key?: string;
}

/** What a server refused, in its own words. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const requestTimeoutMs = 30_000;
const errorShape = z.object({ error: z.object({ message: z.string(), code: z.string() }) });

/**
 * Asks a running server; the key is the flag's, or AFTERIMAGE_API_KEY.
 * @throws ReplyError, server_unreachable
 */
export async function callServer<Schema extends z.ZodType>(
  { url, key = process.env.AFTERIMAGE_API_KEY }: ApiFlags,
  { method, path, reply }: { method: 'GET' | 'DELETE'; path: string; reply: Schema },
): Promise<z.output<Schema>> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    const problem = `must be like http://127.0.0.1:8080, got ${JSON.stringify(url)}`;
    throw failure('invalid_parameter', { param: '--url', problem });
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, url), {
      method,
      headers: key ? { authorization: `Bearer ${key}` } : {},
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    text = await response.text();
  } catch (error) {
    throw failure('server_unreachable', { url, reason: reasonOf(error) }, { cause: error });
  }
  const body = bodyOf(text);
  const refused = errorShape.safeParse(body);
  if (refused.success) throw new ReplyError(refused.data.error.code, refused.data.error.message);
  const parsed = reply.safeParse(body);
  if (parsed.success) return parsed.data;
  const reason = `something else answers there (status ${response.status})`;
  throw failure('server_unreachable', { url, reason }, { cause: parsed.error });
}

function bodyOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  const { name, cause } = error as Error & { cause?: NodeJS.ErrnoException };
  if (name === 'TimeoutError') return `no answer within ${requestTimeoutMs} ms`;
  if (cause?.code === 'ECONNREFUSED') return 'nothing listens there';
  if (cause?.code === 'ENOTFOUND') return 'there is no such host';
  return cause?.code ?? 'the connection failed';
}
