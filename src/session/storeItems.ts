import { failure } from '../core/errors.ts';
import { itemPlace } from './ids.ts';
import type { InputItem, InputPicturePart, StoredItem, StoredPicturePart } from './items.ts';
import type { Pictures } from './pictures.ts';
import type { PictureRecord, SessionRecord } from './record.ts';

export interface ItemsToStore {
  readonly items: readonly StoredItem[];
  /** All pictures of the session with these items in it. */
  readonly pictures: readonly PictureRecord[];
  /** Blobs that the session didn't show before: they must be held before the record is written. */
  readonly newBlobIds: readonly string[];
}

/**
 * Brings items into the form a session keeps them in; pictures it has not seen yet are taken in.
 * @throws not_found, invalid_parameter, and what the intake throws
 */
export async function storeItems(
  tenant: string,
  record: SessionRecord,
  input: readonly InputItem[],
  { serial, pictures: intake }: { serial: number; pictures: Pictures },
): Promise<ItemsToStore> {
  const pictures = [...record.pictures];

  const storePicture = async (part: InputPicturePart): Promise<StoredPicturePart> => {
    const { detail = 'auto', fileId } = part;
    const blobId = await intake.blobOf(tenant, part);
    let picture = pictures.find((known) => known.blobId === blobId && known.detail === detail);
    if (!picture) {
      const number = Math.max(0, ...pictures.map((known) => known.number)) + 1;
      picture = { number, ...(await intake.measure(tenant, blobId, detail)) };
      pictures.push(picture);
    }
    return { type: 'input_image', picture: picture.number, ...(fileId !== undefined && { fileId }) };
  };

  const items: StoredItem[] = [];
  for (const [index, item] of input.entries()) {
    const place = itemPlace(serial, index);
    if (item.type !== 'message') {
      items.push({ ...item, place });
      continue;
    }
    const content = [];
    for (const part of item.content) {
      if (part.type === 'input_image' && item.role !== 'user') {
        throw failure('invalid_parameter', {
          param: `input[${index}]`,
          problem: `pictures belong in messages of the user, this one is of role ${item.role}`,
        });
      }
      content.push(part.type === 'input_image' ? await storePicture(part) : part);
    }
    items.push({ ...item, place, content });
  }
  const before = new Set(record.pictures.map(({ blobId }) => blobId));
  const newBlobIds = [...new Set(pictures.map(({ blobId }) => blobId))].filter((id) => !before.has(id));
  return { items, pictures, newBlobIds };
}
