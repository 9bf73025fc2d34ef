import { takePrefix, totalCells, totalPositions } from '../prompt/commonPrefix.ts';
import type { ImageSegment, Segment } from '../prompt/segment.ts';
import { segmentCells, segmentPositions } from '../prompt/segment.ts';

let clock = 0;

/** One native sequence id and what lies in it. Changed by `KvCache` only. */
export class KvSlot {
  readonly id: number;
  readonly tenant: string;
  /** Everything computed so far, in order; whole images only. */
  resident: Segment[] = [];
  cells = 0;
  /** Next M-RoPE position; the native cache can't tell it. */
  positions = 0;
  /** The prompt of the request that runs here, empty while idle. */
  target: readonly Segment[] = [];
  /** Cells the running request may still take. */
  reservedCells = 0;
  busy = false;
  /** Of the last request: all that is here is of its prompt and answer. */
  session: string | undefined;
  /** What bringing its state back from a lower tier took the running request. */
  loadMs = 0;
  /** Logical time of the last use. */
  lastUsed = ++clock;
  /** `performance.now()` of the last use. */
  idleSince = performance.now();
  /** Cells of an image that is only partly there. */
  #partialImageCells = 0;

  constructor(id: number, tenant: string) {
    this.id = id;
    this.tenant = tenant;
  }

  begin(target: readonly Segment[], reservedCells: number): void {
    this.busy = true;
    this.loadMs = 0;
    this.target = target;
    this.reservedCells = reservedCells;
    this.touch();
  }

  end(): void {
    this.busy = false;
    this.target = [];
    this.reservedCells = 0;
    this.#partialImageCells = 0;
    this.touch();
  }

  touch(): void {
    this.lastUsed = ++clock;
    this.idleSince = performance.now();
  }

  copyPrefix(source: KvSlot, cells: number): void {
    this.#keep(takePrefix(source.resident, cells));
  }

  copy(segments: readonly Segment[]): void {
    this.#keep([...segments]);
  }

  /** Everything resident, for keeping: the slot's last run may grow on. */
  snapshot(): readonly Segment[] {
    return takePrefix(this.resident, this.cells).map((segment) =>
      segment.kind === 'text' ? { kind: 'text', tokens: [...segment.tokens] } : segment,
    );
  }

  truncate(cells: number): void {
    if (cells >= this.cells) return;
    this.#keep(takePrefix(this.resident, cells));
  }

  appendTokens(tokens: readonly number[]): void {
    const last = this.resident.at(-1);
    if (last?.kind === 'text') (last.tokens as number[]).push(...tokens);
    else this.resident.push({ kind: 'text', tokens: [...tokens] });
    this.cells += tokens.length;
    this.positions += tokens.length;
    this.reservedCells -= tokens.length;
  }

  appendImageCells(image: ImageSegment, cells: number): void {
    this.reservedCells -= cells;
    this.#partialImageCells += cells;
    if (this.#partialImageCells < segmentCells(image)) return;
    this.resident.push(image);
    this.cells += segmentCells(image);
    this.positions += segmentPositions(image);
    this.#partialImageCells = 0;
  }

  /** Slots share segments, but only the last text run grows: that one is copied. */
  #keep(segments: Segment[]): void {
    const last = segments.at(-1);
    if (last?.kind === 'text') segments[segments.length - 1] = { kind: 'text', tokens: [...last.tokens] };
    this.resident = segments;
    this.cells = totalCells(segments);
    this.positions = totalPositions(segments);
  }
}
