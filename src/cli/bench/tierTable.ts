import { table } from '../table.ts';
import { benchTiers, type TierFigure } from './tiers.ts';

/**
 * First token by tier and turn, next to computing everything again, and next to the fastest way that the planner could have taken:
 * where a tier has the state, all below it could be computed from as well.
 */
export function tierTable(figures: readonly TierFigure[]): string {
  const rows = figures.map((figure) => {
    const again = figures.find(({ tier, turn }) => tier === 'pixels' && turn === figure.turn);
    const below = figures.filter(
      ({ tier, turn }) => turn === figure.turn && benchTiers.indexOf(tier) >= benchTiers.indexOf(figure.tier),
    );
    const best = Math.min(...below.map(({ firstTokenMs }) => firstTokenMs));
    const ratio = again ? again.firstTokenMs / figure.firstTokenMs : Number.NaN;
    return [
      String(figure.turn),
      figure.tier,
      String(figure.promptTokens),
      String(figure.computedTokens),
      (figure.bytes / 2 ** 20).toFixed(2),
      figure.loadMs.toFixed(1),
      figure.firstTokenMs.toFixed(1),
      ratio.toFixed(1),
      figure.estimateRatio.toFixed(2),
      (figure.firstTokenMs / best).toFixed(2),
    ];
  });
  const sorted = rows.toSorted((a, b) => Number(a[0]) - Number(b[0]));
  return table([
    [
      'TURN',
      'TIER',
      'PROMPT',
      'COMPUTED',
      'MiB',
      'LOAD ms',
      'FIRST TOKEN ms',
      'TIMES FASTER',
      'ESTIMATE',
      'OVER BEST',
    ],
    ...sorted,
  ]);
}
