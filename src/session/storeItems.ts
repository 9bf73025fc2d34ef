import { AfterimageError, failure } from '../core/errors.ts';
import type { BlobToHold } from './blobHolders.ts';
import { itemPlace } from './ids.ts';
import {
  type InputItem,
  type InputPicturePart,
  type PictureDetail,
  partsOf,
  type StoredItem,
  type StoredPicturePart,
  type TextPart,
  withParts,
} from './items.ts';
import type { MeasuredPicture, Pictures } from './pictures.ts';
import type { PictureRecord, SessionRecord } from './record.ts';
import { findItem } from './references.ts';
import type { SessionStore } from './sessionStore.ts';

export interface ItemsToStore {
  readonly items: readonly StoredItem[];
  /** All pictures of the session with these items in it. */
  readonly pictures: readonly PictureRecord[];
  /** Blobs that the session didn't show before, or may have let go of: they must be held before the record is written. */
  readonly toHold: readonly BlobToHold[];
}

export interface ItemSources {
  readonly pictures: Pictures;
  readonly sessions: SessionStore;
}

/**
 * Brings items, given in this field of a request, into the form a session keeps them in; pictures it has not seen yet are taken in, references become copies.
 * @throws not_found, invalid_parameter, and what the intake throws
 */
export async function storeItems(
  tenant: string,
  record: SessionRecord,
  input: readonly InputItem[],
  { serial, sources, field }: { serial: number; sources: ItemSources; field: 'input' | 'items' },
): Promise<ItemsToStore> {
  const { pictures: intake, sessions } = sources;
  const pictures = [...record.pictures];

  const toHold = new Map<string, BlobToHold>();

  const keptPart = ({ number }: PictureRecord, fileId: string | undefined): StoredPicturePart => ({
    type: 'input_image',
    picture: number,
    ...(fileId !== undefined && { fileId }),
  });
  const known = (blobId: string, detail: PictureDetail): PictureRecord | undefined =>
    pictures.find((picture) => picture.blobId === blobId && picture.detail === detail);
  const add = (picture: MeasuredPicture & Pick<PictureRecord, 'vector'>): PictureRecord => {
    const number = Math.max(0, ...pictures.map((other) => other.number)) + 1;
    const added = { ...picture, number };
    pictures.push(added);
    return added;
  };

  const keepGiven = async (part: InputPicturePart): Promise<StoredPicturePart> => {
    const blobId = await intake.blobOf(tenant, part);
    const detail = part.detail ?? 'auto';
    toHold.set(blobId, { blobId, mayBeGone: false });
    const picture =
      known(blobId, detail) ?? add({ ...(await intake.measure(tenant, blobId, detail)), vector: null });
    return keptPart(picture, part.fileId);
  };

  const copy = async (id: string, place: string): Promise<StoredItem> => {
    const { item, record: source } = await findItem(tenant, id, record, sessions);
    const { outputErased: _erased, tokens, calls, ...rest } = item;
    const parts = await mapPictures(partsOf(rest), async ({ picture: number, fileId }) => {
      const picture = source.pictures.find((other) => other.number === number);
      if (!picture) throw new Error(`session ${source.session} has no picture ${number}`);
      const { blobId, detail } = picture;
      if (!pictures.some((other) => other.blobId === blobId)) toHold.set(blobId, { blobId, mayBeGone: true });
      return keptPart(known(blobId, detail) ?? add(picture), fileId);
    });
    // Tokens of an answer with calls are true of all its items together only.
    const own = tokens !== undefined && calls === undefined ? { tokens } : {};
    return { ...rest, ...withParts<StoredPicturePart>(rest, parts), ...own, place };
  };

  const items: StoredItem[] = [];
  for (const [index, item] of input.entries()) {
    const place = itemPlace(serial, index);
    if (item.type === 'item_reference') {
      items.push(await naming(`${field}[${index}].id`, () => copy(item.id, place)));
      continue;
    }
    const given = partsOf<InputPicturePart>(item);
    const role = item.type === 'message' ? item.role : 'user';
    if (role !== 'user' && given.some(({ type }) => type === 'input_image')) {
      throw failure('invalid_parameter', {
        param: `${field}[${index}]`,
        problem: `pictures belong in messages of the user, this one is of role ${role}`,
      });
    }
    const at = `${field}[${index}].${item.type === 'message' ? 'content' : 'output'}`;
    const kept = await mapPictures(given, (part, partIndex) =>
      naming(`${at}[${partIndex}].${part.fileId === undefined ? 'image_url' : 'file_id'}`, () =>
        keepGiven(part),
      ),
    );
    items.push({ ...withParts<StoredPicturePart>(item, kept), place });
  }
  return { items, pictures, toHold: [...toHold.values()] };
}

/** One after the other: two parts may show the same picture. */
async function mapPictures<Part extends { readonly type: 'input_image' }>(
  parts: readonly (TextPart | Part)[],
  keep: (part: Part, index: number) => Promise<StoredPicturePart>,
): Promise<(TextPart | StoredPicturePart)[]> {
  const kept: (TextPart | StoredPicturePart)[] = [];
  for (const [index, part] of parts.entries())
    kept.push(part.type === 'input_image' ? await keep(part, index) : part);
  return kept;
}

/** What is wrong with a picture or a reference is wrong with the field that brought it. */
async function naming<T>(param: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AfterimageError) || error.details.param !== undefined) throw error;
    throw new AfterimageError(error.code, { ...error.details, param }, { cause: error });
  }
}
