import type { PlanReport } from '../../core/request.ts';

/** What the planner's decisions add up to, since the engine started. */
export class PlanTotals {
  readonly byTier = { hot: 0, ram: 0, disk: 0, none: 0 };
  estimatedMs = 0;
  actualMs = 0;
  /** Sum of how far each estimate was off. */
  errorMs = 0;

  add({ tier, estimatedMs, actualMs }: PlanReport): void {
    this.byTier[tier]++;
    this.estimatedMs += estimatedMs;
    this.actualMs += actualMs;
    this.errorMs += Math.abs(actualMs - estimatedMs);
  }
}
