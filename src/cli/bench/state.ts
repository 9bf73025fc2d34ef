import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import sharp from 'sharp';
import type { ImageSource } from '../../core/request.ts';
import { imageSourceFromBytes } from '../../images/load.ts';
import { type EngineFlags, engineConfig } from '../options.ts';
import { measureTiers } from './tiers.ts';
import { tierTable } from './tierTable.ts';

const side = 448;

export interface StateBenchFlags extends EngineFlags {
  readonly rounds: number;
  readonly json?: boolean;
}

/** `afterimage bench state`: what a follow-up takes from each tier, on this machine and model. */
export async function benchState(flags: StateBenchFlags): Promise<void> {
  const plan = { turns: [2, 5, 20], rounds: flags.rounds, promptTokens: 700, answerTokens: 8 };
  const { info, figures } = await measureTiers(engineConfig(flags), plan, newPicture, (line) =>
    process.stderr.write(`${line}\n`),
  );
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ info, plan, figures }, undefined, 2)}\n`);
    return;
  }
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, ${info.threads} threads, ${info.device}`;
  process.stdout.write(`${info.model} on ${machine}; a ${side}x${side} picture, ${plan.rounds} rounds\n\n`);
  process.stdout.write(tierTable(figures));
}

/** Blots that nobody drew before. */
export async function newPicture(): Promise<ImageSource> {
  const rgb = await sharp(randomBytes(7 * 7 * 3), { raw: { width: 7, height: 7, channels: 3 } })
    .resize(side, side, { kernel: 'cubic' })
    .png()
    .toBuffer();
  return imageSourceFromBytes(rgb, 'auto');
}
