import { randomUUID } from 'node:crypto';

export const newRequestId = (): string => `req_${randomUUID().replaceAll('-', '')}`;

/** A caller's own id is only ever logged, and only when nothing but an id can be in it. */
export function callersRequestId(header: string | undefined): string | undefined {
  return header !== undefined && /^[\w.:-]{1,128}$/.test(header) ? header : undefined;
}
