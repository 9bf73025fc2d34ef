import { failure } from '../../core/errors.ts';
import { readBody } from '../http/readBody.ts';

/** What OpenAI's other purposes are for, fine-tuning and batches, isn't here. */
export const purposes = ['vision', 'user_data', 'assistants'] as const;
export type Purpose = (typeof purposes)[number];

export interface Upload {
  readonly bytes: Uint8Array;
  readonly filename: string;
  readonly purpose: Purpose;
  /** Left out: the server decides. */
  readonly ttlMs?: number;
}

/** For the boundaries, headers and small fields of a form. */
const formOverheadBytes = 64 * 1024;
/** In UTF-8: what file systems take. */
const maxFilenameBytes = 255;
/** OpenAI's: an hour to 30 days. */
const lifeSeconds = { min: 3_600, max: 2_592_000 } as const;
const fields: readonly string[] = ['file', 'purpose', 'expires_after[anchor]', 'expires_after[seconds]'];
const maxShownLength = 40;

/**
 * The upload in a multipart body, of which never more is read than a file may have.
 * @throws body_too_large, body_incomplete, media_type_unsupported, and what is wrong with a field
 */
export async function readUpload(request: Request, maxFileBytes: number): Promise<Upload> {
  const form = await formOf(request, maxFileBytes + formOverheadBytes);
  for (const name of form.keys()) {
    if (!fields.includes(name)) throw failure('unknown_parameter', { param: shortened(name) });
  }
  const purpose = purposeOf(textOf(form, 'purpose'));
  const ttlMs = ttlOf(form);
  const file = fileOf(form);
  if (file.size > maxFileBytes) throw failure('body_too_large', { bytes: file.size, limit: maxFileBytes });
  // Of an empty picture its own error says so.
  if (file.size === 0 && purpose !== 'vision') throw invalid('file', 'is empty, it has 0 bytes');
  const bytes = new Uint8Array(await file.arrayBuffer());
  return { bytes, filename: file.name, purpose, ...(ttlMs !== undefined && { ttlMs }) };
}

async function formOf(request: Request, limitBytes: number): Promise<FormData> {
  const type = request.headers.get('content-type');
  if (!/^multipart\/form-data\s*(;|$)/i.test(type ?? '')) {
    const actual = type === null ? 'of no declared type' : `of the type ${shortened(type)}`;
    throw failure('media_type_unsupported', { actual, expected: 'multipart/form-data' });
  }
  const body = await readBody(request, limitBytes);
  try {
    return await new Response(new Uint8Array(body), {
      headers: { 'content-type': type as string },
    }).formData();
  } catch (cause) {
    throw invalid('body', 'is not the multipart form that its content-type announces', { cause });
  }
}

function fileOf(form: FormData): File {
  const [file, ...others] = form.getAll('file');
  if (file === undefined) throw failure('missing_parameter', { param: 'file' });
  if (others.length > 0) throw invalid('file', `must be one file, got ${others.length + 1}`);
  if (!(file instanceof File)) throw invalid('file', 'must be a file with a filename, got text');
  const nameBytes = Buffer.byteLength(file.name);
  if (nameBytes > maxFilenameBytes) {
    throw invalid('file', `may have a filename of at most ${maxFilenameBytes} bytes, got ${nameBytes}`);
  }
  return file;
}

function purposeOf(text: string | undefined): Purpose {
  if (text === undefined) throw failure('missing_parameter', { param: 'purpose' });
  return knownPurpose(text);
}

/** @throws unsupported_parameter for a purpose that files here can't have */
export function knownPurpose(text: string): Purpose {
  const purpose = purposes.find((known) => known === text);
  if (purpose !== undefined) return purpose;
  throw failure('unsupported_parameter', {
    param: 'purpose',
    problem: `got '${shortened(text)}', files here are for ${purposes.slice(0, -1).join(', ')} or ${purposes.at(-1)}`,
  });
}

function ttlOf(form: FormData): number | undefined {
  const [anchorName, secondsName] = ['expires_after[anchor]', 'expires_after[seconds]'] as const;
  const anchor = textOf(form, anchorName);
  const seconds = textOf(form, secondsName);
  if (anchor === undefined && seconds === undefined) return undefined;
  if (anchor === undefined) throw failure('missing_parameter', { param: anchorName });
  if (anchor !== 'created_at') throw invalid(anchorName, `must be 'created_at', got '${shortened(anchor)}'`);
  if (seconds === undefined) throw failure('missing_parameter', { param: secondsName });
  const { min, max } = lifeSeconds;
  const life = /^\d{1,9}$/.test(seconds) ? Number(seconds) : Number.NaN;
  if (!(life >= min && life <= max)) {
    const problem = `must be a whole number from ${min} to ${max}, got '${shortened(seconds)}'`;
    throw invalid(secondsName, problem);
  }
  return life * 1_000;
}

/** Undefined when the field isn't there. */
function textOf(form: FormData, name: string): string | undefined {
  const [value, ...others] = form.getAll(name);
  if (others.length > 0) throw invalid(name, `must be given once, got it ${others.length + 1} times`);
  if (value instanceof File) throw invalid(name, 'must be text, got a file');
  return value;
}

function invalid(param: string, problem: string, options?: ErrorOptions): Error {
  return failure('invalid_parameter', { param, problem }, options);
}

const shortened = (text: string): string =>
  text.length > maxShownLength ? `${text.slice(0, maxShownLength)}...` : text;
