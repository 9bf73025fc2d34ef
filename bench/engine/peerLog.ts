import { open, stat } from 'node:fs/promises';

/**
 * The log file of a llama-server started with `--log-file FILE --log-timestamps -lv 4`. Its API tells no encode time, but
 * it logs a line before it encodes and one before it reads what came out; nothing but the encode lies between.
 */
export class PeerLog {
  readonly #path: string;
  #readBytes: number;

  private constructor(path: string, readBytes: number) {
    this.#path = path;
    this.#readBytes = readBytes;
  }

  /** What is in the file already is of no interest. @throws when there is no such file */
  static async follow(path: string): Promise<PeerLog> {
    return new PeerLog(path, (await stat(path)).size);
  }

  /** Milliseconds of all encodes that were logged since the last call; undefined when there was none. */
  async encodeMs(): Promise<number | undefined> {
    await using file = await open(this.#path);
    const chunks: Buffer[] = [];
    const stream = file.createReadStream({ start: this.#readBytes, autoClose: false });
    for await (const chunk of stream) chunks.push(chunk);
    const news = Buffer.concat(chunks);
    this.#readBytes += news.length;
    return loggedEncodeMs(news.toString('utf8'));
  }
}

/** Minutes, seconds, milliseconds and microseconds since the server started, then the level. */
const timestamp = /^(\d+)\.(\d+)\.(\d+)\.(\d+) /;

/** Sum over all encodes in these lines. */
export function loggedEncodeMs(lines: string): number | undefined {
  let sum: number | undefined;
  let startedMs: number | undefined;
  for (const line of lines.split('\n')) {
    const found = timestamp.exec(line);
    if (!found) continue;
    const [, minutes, seconds, milliseconds, microseconds] = found.map(Number) as [
      0,
      number,
      number,
      number,
      number,
    ];
    const atMs = minutes * 60_000 + seconds * 1000 + milliseconds + microseconds / 1000;
    if (line.includes('encoding mtmd batch')) startedMs = atMs;
    else if (startedMs !== undefined && line.includes('decoding image batch')) {
      sum = (sum ?? 0) + atMs - startedMs;
      startedMs = undefined;
    }
  }
  return sum;
}
