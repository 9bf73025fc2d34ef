import { maxHeaderSize, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type AfterimageError, failure } from '../../core/errors.ts';
import { errorReply } from './errorReply.ts';
import { newRequestId } from './requestId.ts';

/**
 * Answers what isn't a request that any handler could see: headers over the server's limit, a request that never ends, bytes that
 * aren't HTTP. The connection is closed after it.
 * @param headerLimitBytes what the server was made with; Node's own setting unless it is given
 */
export function answerClientErrors(server: Server, headerLimitBytes = maxHeaderSize): void {
  const answering = new WeakSet<Duplex>();
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // In the middle of a reply nothing else can be said.
    if (error.code === 'ECONNRESET' || !socket.writable || answering.has(socket)) {
      socket.destroy();
      return;
    }
    const { status, headers, error: body } = errorReply(refusalOf(error.code, headerLimitBytes));
    const text = JSON.stringify({ error: body });
    const lines = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
      `x-request-id: ${newRequestId()}`,
      ...Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`),
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
  });
}

function refusalOf(code: string | undefined, headerLimitBytes: number): AfterimageError {
  if (code === 'HPE_HEADER_OVERFLOW') return failure('headers_too_large', { limit: headerLimitBytes });
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return failure('request_timeout', {});
  return failure('malformed_http', {});
}
