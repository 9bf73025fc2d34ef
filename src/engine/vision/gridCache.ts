import type { PatchGrid } from './patches.ts';
import { type Tower, TowerGrid } from './tower.ts';

export interface GridCacheLimits {
  /** Grids kept, in use or not. */
  readonly maxGrids: number;
  /** Native bytes of all kept grids; the one asked for is kept whatever its size. */
  readonly maxGridBytes: number;
}

export const defaultGridCacheLimits: GridCacheLimits = { maxGrids: 4, maxGridBytes: 512 * 1024 * 1024 };

/** Keeps the graphs and buffers of the picture sizes used last. Owns the grids. */
export class GridCache {
  private readonly tower: Tower;
  private readonly limits: GridCacheLimits;
  /** Least recently used first. */
  private readonly grids = new Map<string, TowerGrid>();
  private readonly inUse = new Set<TowerGrid>();

  constructor(tower: Tower, limits: GridCacheLimits) {
    this.tower = tower;
    this.limits = limits;
  }

  get size(): number {
    return this.grids.size;
  }

  /** Native memory of all grids. */
  get bytes(): number {
    let sum = 0;
    for (const grid of this.grids.values()) sum += grid.bytes;
    return sum;
  }

  /** A grid for its caller alone until `release`. @throws Error when it is in use already: the caller must wait. */
  acquire(grid: PatchGrid): TowerGrid {
    const key = `${grid.columns}x${grid.rows}`;
    const found = this.grids.get(key);
    if (found && this.inUse.has(found)) throw new Error(`the ${key} grid is in use by another encode`);
    const acquired = found ?? new TowerGrid(this.tower, grid);
    this.grids.delete(key);
    this.grids.set(key, acquired);
    this.inUse.add(acquired);
    this.evict();
    return acquired;
  }

  release(grid: TowerGrid): void {
    this.inUse.delete(grid);
    this.evict();
  }

  /** @throws Error while a grid is in use: its buffers may be written by a running slice. */
  dispose(): void {
    if (this.inUse.size > 0) throw new Error('an encode is still open');
    for (const grid of this.grids.values()) grid.dispose();
    this.grids.clear();
  }

  private evict(): void {
    for (const [key, grid] of this.grids) {
      if (this.grids.size <= this.limits.maxGrids && this.bytes <= this.limits.maxGridBytes) return;
      const last = this.grids.size === 1;
      if (last || this.inUse.has(grid)) continue;
      this.grids.delete(key);
      grid.dispose();
    }
  }
}
