/**
 * Every error a user can meet, in one table; `docs/errors.md` lists the same rows and a test keeps them equal.
 *
 * `exit` is the exit code of the command line, `status` and `type` are what the HTTP API answers, `retry` says whether
 * the same request can succeed later without being changed.
 */
interface ErrorRow {
  readonly status: number;
  readonly type:
    | 'invalid_request_error'
    | 'authentication_error'
    | 'rate_limit_error'
    | 'conflict_error'
    | 'server_error'
    | 'service_unavailable_error';
  readonly exit: number;
  readonly retry: boolean;
  /** What was wrong, the limit and the actual value. `{name}` is filled from the error's details. */
  readonly message: string;
}

const request = { status: 400, type: 'invalid_request_error', retry: false } as const;
const image = { ...request, exit: 3 } as const;
const model = { status: 500, type: 'server_error', exit: 4, retry: false } as const;
const engine = { status: 503, type: 'service_unavailable_error', exit: 5, retry: true } as const;
const storage = { status: 500, type: 'server_error', exit: 6, retry: false } as const;
const storageAway = { status: 503, type: 'service_unavailable_error', exit: 6, retry: true } as const;
const conflict = { status: 409, type: 'conflict_error', exit: 1, retry: true } as const;

export const errorTable = {
  invalid_parameter: { ...request, exit: 2, message: '{param}: {problem}.' },
  missing_parameter: { ...request, exit: 2, message: '{param} is missing.' },
  unknown_parameter: { ...request, exit: 2, message: 'There is no parameter {param}.' },
  unsupported_parameter: { ...request, exit: 2, message: '{param} is not supported: {problem}.' },
  invalid_json: { ...request, exit: 2, message: 'The body is not JSON: {problem}.' },
  body_too_large: {
    ...request,
    status: 413,
    exit: 2,
    message: 'The body has {bytes} bytes, the limit is {limit}.',
  },
  media_type_unsupported: {
    ...request,
    status: 415,
    exit: 2,
    message: 'The body is {actual}, this route takes {expected}.',
  },
  body_incomplete: {
    ...request,
    exit: 2,
    message: 'The body ended after {bytes} bytes, before it was complete.',
  },
  headers_too_large: {
    ...request,
    status: 431,
    exit: 2,
    message: 'The headers have more than {limit} bytes.',
  },
  malformed_http: { ...request, exit: 2, message: 'The request is not HTTP/1.1.' },
  request_timeout: {
    ...request,
    status: 408,
    exit: 5,
    retry: true,
    message: 'The request did not arrive in time.',
  },
  host_refused: {
    ...request,
    status: 403,
    exit: 2,
    message: 'This server does not answer to the name {host}. Without API keys it answers to {allowed}.',
  },
  origin_refused: {
    ...request,
    status: 403,
    exit: 2,
    message: 'Pages of {origin} may not use this server.',
  },
  metrics_refused: {
    ...request,
    status: 403,
    exit: 2,
    message: 'The metrics are for keys of the tenant {tenant}.',
  },
  route_not_found: { ...request, status: 404, exit: 2, message: 'There is no route {method} {path}.' },
  method_not_allowed: {
    ...request,
    status: 405,
    exit: 2,
    message: '{path} has no {method}, it has {allowed}.',
  },
  model_not_found: {
    ...request,
    status: 404,
    exit: 2,
    message: 'There is no model {model}. This server runs {available}.',
  },
  invalid_api_key: {
    status: 401,
    type: 'authentication_error',
    retry: false,
    exit: 2,
    message: 'No valid API key. Send one as "Authorization: Bearer KEY"; `afterimage keys add` makes one.',
  },
  rate_limit_exceeded: {
    status: 429,
    type: 'rate_limit_error',
    retry: true,
    exit: 5,
    message: 'The limit of {limit} {unit} a minute is reached. Try again in {retryAfterMs} ms.',
  },
  internal_error: {
    status: 500,
    type: 'server_error',
    retry: false,
    exit: 1,
    message: 'Something went wrong on our side. The log has the details under the id of the request.',
  },
  context_length_exceeded: {
    ...request,
    exit: 3,
    message: 'The prompt needs {needed} tokens with its answer, {holder} holds {limit}.',
  },
  poison_request: {
    ...request,
    exit: 5,
    message: 'This request was refused: the engine died {kills} times while working on it.',
  },

  not_found: { ...request, status: 404, exit: 2, message: 'There is no {object} {id}.' },
  previous_response_not_found: {
    ...request,
    status: 404,
    exit: 2,
    message: '{param}: there is no response {id}.',
  },
  session_expired: {
    ...request,
    status: 410,
    exit: 2,
    message: '{id} has expired: its session was idle for more than {idleSeconds} s.',
  },
  picture_not_kept: {
    ...request,
    status: 410,
    exit: 3,
    message:
      'Picture {number} of the session is needed again, but its pixels were not kept and nothing made of them is left. Send the picture again.',
  },
  session_full: {
    ...request,
    exit: 3,
    message: 'The session needs {bytes} bytes, the limit is {limit}. Start a new one.',
  },
  session_busy: { ...conflict, message: 'Another turn of this session is running.' },
  version_conflict: {
    ...conflict,
    message: 'The session was changed while the turn ran; nothing of the turn was kept.',
  },
  idempotency_in_progress: { ...conflict, message: 'The same request is still running.' },
  idempotency_key_reused: {
    ...request,
    status: 422,
    exit: 2,
    message: 'The idempotency key was used for another request.',
  },
  events_gone: {
    ...request,
    status: 410,
    exit: 2,
    message: 'The events of {id} are not kept any more; the response itself can still be read.',
  },
  turn_timeout: {
    status: 504,
    type: 'server_error',
    exit: 5,
    retry: false,
    message: 'The turn took longer than {limitMs} ms.',
  },
  turn_interrupted: {
    status: 500,
    type: 'server_error',
    exit: 1,
    retry: false,
    message: 'The turn was interrupted before it was committed; nothing of it was kept.',
  },
  draining: { ...engine, message: 'The server is shutting down and takes no new turns.' },

  listen_failed: {
    status: 500,
    type: 'server_error',
    exit: 5,
    retry: false,
    message: 'The server could not listen on {address}: {reason}.',
  },
  key_needed: {
    status: 500,
    type: 'server_error',
    exit: 2,
    retry: false,
    message: 'Others can reach {host}, and there is no API key yet. Make one with: {command}',
  },
  server_unreachable: { ...engine, message: 'No Afterimage server answers at {url}: {reason}.' },
  output_failed: { ...storage, message: 'The output could not be written ({reason}).' },

  image_not_found: { ...image, message: 'No such picture file: {path}.' },
  image_not_readable: { ...image, message: '{path} could not be read ({reason}).' },
  image_empty: { ...image, message: 'The picture is empty (0 bytes).' },
  image_file_too_large: { ...image, message: 'The picture has {bytes} bytes, the limit is {limit}.' },
  image_format_unsupported: {
    ...image,
    message: 'The picture is {format}. Supported: JPEG, PNG, WebP, AVIF and still GIF.',
  },
  image_format_unknown: {
    ...image,
    message: 'The picture was not recognised. Supported: JPEG, PNG, WebP, AVIF and still GIF.',
  },
  image_animated: { ...image, message: 'The picture is animated ({format}). Send one still frame.' },
  image_too_small: {
    ...image,
    message: 'The picture is {width}x{height} px, each side needs at least {limit} px.',
  },
  image_too_large: {
    ...image,
    message: 'The picture is {width}x{height} px, each side may have at most {limit} px.',
  },
  image_too_many_pixels: {
    ...image,
    message: 'The picture is {width}x{height} = {pixels} px, the limit is {limit} px.',
  },
  image_aspect_ratio: {
    ...image,
    message: 'The picture is {width}x{height} px, one side may be at most {limit} times the other.',
  },
  image_damaged: { ...image, message: 'The picture is damaged: its {format} data could not be decoded.' },
  image_decode_timeout: { ...image, message: 'The picture took longer than {limitMs} ms to decode.' },
  picture_url_disabled: {
    ...image,
    message: '{param} is a web address, and this server fetches none. Send a data URL or a file_id.',
  },
  picture_url_refused: { ...image, message: '{param} is not fetched: {reason}.' },
  picture_url_failed: { ...image, retry: true, message: '{param} could not be fetched: {reason}.' },

  model_file_not_found: { ...model, message: 'No such model file: {path}.' },
  model_file_not_gguf: { ...model, message: '{path} is not a GGUF file.' },
  model_file_truncated: {
    ...model,
    message: '{path} is cut short: {bytes} bytes are there, {needed} are needed. Download it again.',
  },
  model_file_changed: {
    ...model,
    message: '{path} is not the file its manifest describes: {field} should be {expected}, is {actual}.',
  },
  model_architecture_unsupported: {
    ...model,
    message: '{path} holds a "{architecture}" model; this engine runs {supported}.',
  },
  model_mmproj_missing: {
    ...model,
    message:
      'No vision file (mmproj) for {path}. Give it with --mmproj, or put one beside the model as {expected}.',
  },
  model_mmproj_ambiguous: {
    ...model,
    message: '{count} vision files beside {path} fit it: {names}. Choose one with --mmproj.',
  },
  model_projector_unsupported: {
    ...model,
    message: '{path} holds a "{projector}" vision projector; this engine runs {supported}.',
  },
  model_width_mismatch: {
    ...model,
    message:
      '{mmproj} does not fit {model}: its features are {visionWidth} wide, the text model takes {textWidth}.',
  },
  model_metadata_invalid: { ...model, message: '{path}: {field} is {problem}.' },
  model_load_failed: { ...model, message: 'The engine could not load {path}: {reason}.' },

  native_library_missing: {
    ...model,
    message: 'The engine library for {backend} is not installed. Install it with: {command}',
  },
  native_library_unpublished: {
    ...model,
    message: 'There is no engine library of {release} for {backend} on {system}.',
  },
  gpu_not_found: {
    ...model,
    message:
      'The {backend} library is installed, but it finds no device. Check the driver, or use --gpu off.',
  },
  native_layout_mismatch: {
    ...model,
    message:
      'The engine library is not the release this program was made for ({release}): {field} is {actual}, expected {expected}.',
  },

  engine_unavailable: {
    ...engine,
    message: 'The engine is not available: {reason}. It restarts by itself unless it was shut down.',
  },
  engine_start_failed: { ...engine, message: 'The engine did not start: {reason}.' },
  engine_overloaded: {
    ...engine,
    message: 'The engine already has {waiting} requests waiting, the limit is {limit}.',
  },
  engine_failed: {
    status: 500,
    type: 'server_error',
    exit: 1,
    retry: false,
    message: 'The engine failed: {reason}.',
  },

  storage_full: {
    ...storage,
    status: 507,
    retry: true,
    message:
      'No space at {path} for {bytes} bytes: {freeBytes} are free, {reserveBytes} of them are kept for sessions.',
  },
  storage_unavailable: { ...storageAway, message: 'The storage at {path} is not available: {reason}.' },
  storage_read_only: { ...storage, message: 'The storage at {path} cannot be changed: {reason}.' },
  storage_corrupt: {
    ...storage,
    message:
      '{path} is damaged: {reason}. Nothing was overwritten; restore it from a backup or move it away.',
  },
  storage_newer_format: {
    ...storage,
    message:
      '{path} has format {format}, this version reads up to {supported}. Nothing was changed; update Afterimage.',
  },
  storage_locked: { ...storageAway, message: 'Another process ({owner}) uses {path}.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

type Fields<Message extends string> = Message extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Fields<Rest>
  : never;

export type ErrorDetails<Code extends ErrorCode> = Record<
  Fields<(typeof errorTable)[Code]['message']>,
  string | number
>;

/** An error a user is meant to read. Anything else that is thrown is a bug. */
export class AfterimageError extends Error {
  override readonly name = 'AfterimageError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>>, options?: ErrorOptions) {
    super(
      errorTable[code].message.replace(/\{(\w+)\}/g, (whole, name) => String(details[name] ?? whole)),
      options,
    );
    this.code = code;
    this.details = details;
  }
}

/** Builds the error of a table row; the compiler asks for exactly the details its message names. */
export function failure<Code extends ErrorCode>(
  code: Code,
  details: ErrorDetails<Code>,
  options?: ErrorOptions,
): AfterimageError {
  return new AfterimageError(code, details, options);
}
