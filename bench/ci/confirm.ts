/** A gate that is about to fail is asked again: what is slower stays slower, a spell of the machine passes. */

import type { BenchEntry, BenchResult, RatioEntry } from '../../src/load/bench-result.ts';
import { type GateRules, judge } from './gate.ts';
import { measureRatio, type RatioSettings } from './ratio.ts';
import type { BenchPair } from './subject.ts';

/** Each try takes as many more rounds as tries were made: the last one sees ten times what the first did, over several seconds. */
const ATTEMPTS = 4;

/** The first measurement that passes its gate, or else the last and longest one. */
export async function measureConfirmed(
  pair: BenchPair,
  settings: RatioSettings,
  rules: GateRules,
  baseline: Pick<BenchResult, 'benches'> | undefined,
): Promise<RatioEntry> {
  for (let attempt = 1; ; attempt += 1) {
    const rounds = { rounds: settings.rounds * attempt, noiseRounds: settings.noiseRounds * attempt };
    const entry = await measureRatio(pair, { ...settings, ...rounds });
    const benches: BenchEntry[] = [entry];
    if (attempt === ATTEMPTS || judge({ benches }, rules, baseline)[0]!.passed) return entry;
  }
}
