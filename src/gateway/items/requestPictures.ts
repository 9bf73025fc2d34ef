import { failure } from '../../core/errors.ts';
import type { GatewayEnv, GatewayParts } from '../parts.ts';
import { bytesOfDataUrl } from '../pictures/dataUrl.ts';
import { fetchPicture } from '../pictures/fetchPicture.ts';
import { blobIdOf } from '../pictures/pictureName.ts';

/** More would not fit any context, and each is written to the store. */
const maxPictures = 256;
/** Fetched one after the other, each with its own deadline. */
const maxPictureUrls = 16;

export interface PictureContext {
  readonly tenant: string;
  readonly parts: GatewayParts;
  readonly spend: GatewayEnv['Variables']['spend'];
  /** Tests give one that may reach their own machine. */
  readonly fetch?: typeof fetchPicture;
}

interface Source {
  readonly url: string;
  /** The first field that names it. */
  readonly param: string;
}

/** The pictures a request brings along, each once. Lives as long as the request is read. */
export class RequestPictures {
  readonly #context: PictureContext;
  readonly #sources = new Map<string, Source>();
  readonly #blobIds = new Map<string, string>();

  constructor(context: PictureContext) {
    this.#context = context;
  }

  /** @throws invalid_parameter, picture_url_disabled */
  add(url: string, param: string): void {
    if (this.#sources.has(url) || this.#blobIds.has(url)) return;
    const stored = blobIdOf(url);
    if (stored !== undefined) {
      this.#blobIds.set(url, stored);
      return;
    }
    if (isWebUrl(url)) {
      if (!this.#context.parts.config.pictureUrls) throw failure('picture_url_disabled', { param });
    } else if (!isDataUrl(url)) {
      const problem = `must be a data URL, an http(s) URL or the name of a stored picture, got ${shown(url)}`;
      throw failure('invalid_parameter', { param, problem });
    }
    this.#sources.set(url, { url, param });
    checkCount(param, this.#sources.size, maxPictures, 'different pictures');
    const webUrls = [...this.#sources.keys()].filter(isWebUrl).length;
    checkCount(param, webUrls, maxPictureUrls, 'pictures by URL');
  }

  /** Counts what was added, then stores it. @throws rate_limit_exceeded, and what is wrong with a picture's source */
  async store(): Promise<void> {
    const { tenant, parts, spend, fetch = fetchPicture } = this.#context;
    if (this.#sources.size === 0) return;
    await spend({ pictures: this.#sources.size });
    for (const { url, param } of this.#sources.values()) {
      const limits = { param, maxBytes: parts.config.maxFileBytes };
      const bytes = isWebUrl(url) ? await fetch(url, limits) : bytesOfDataUrl(url, limits);
      const details = { param };
      if (bytes.length === 0) throw failure('image_empty', details);
      this.#blobIds.set(url, (await parts.sessions.files.putPicture(tenant, bytes)).blobId);
    }
  }

  /** Of a URL that was added, once all are stored. */
  blobIdOf(url: string): string {
    const blobId = this.#blobIds.get(url);
    if (blobId === undefined) throw new Error('a picture was asked for that was not stored');
    return blobId;
  }
}

const isWebUrl = (url: string): boolean => /^https?:/i.test(url);
const isDataUrl = (url: string): boolean => /^data:/i.test(url);

function shown(url: string): string {
  const scheme = /^[a-z][a-z0-9+.-]{0,20}:/i.exec(url);
  return scheme ? `a ${scheme[0].toLowerCase()} URL` : 'no URL';
}

function checkCount(param: string, count: number, limit: number, what: string): void {
  if (count <= limit) return;
  throw failure('invalid_parameter', { param, problem: `a request may bring ${limit} ${what}, got more` });
}
