import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureFolder } from '../../files/folders.ts';
import { replaceFile } from '../../files/replaceFile.ts';
import { type WeightType, weightTypes } from './weightType.ts';

/**
 * What a probe chose before, for the same machine and model, in the folder of what is kept. A probe on a busy machine may choose
 * otherwise, and then nothing that was kept could be used any more.
 */
export class RememberedProbe {
  readonly #path: string;
  readonly #folder: string;
  /** What a choice depends on. */
  readonly #about: string;

  constructor(folder: string, about: readonly string[]) {
    this.#folder = folder;
    this.#path = join(folder, 'vision-weights.json');
    this.#about = JSON.stringify(about);
  }

  /** Undefined when nothing was chosen yet, or for something else. */
  async choice(): Promise<WeightType | undefined> {
    try {
      const { about, type } = JSON.parse(await readFile(this.#path, 'utf8')) as {
        about?: unknown;
        type?: unknown;
      };
      return about === this.#about ? weightTypes.find((known) => known === type) : undefined;
    } catch {
      // Missing or damaged: then it is measured.
      return undefined;
    }
  }

  /** @throws what the file system throws */
  async remember(type: WeightType): Promise<void> {
    await ensureFolder(this.#folder);
    await replaceFile(this.#path, (file) => file.writeFile(JSON.stringify({ about: this.#about, type })));
  }
}
