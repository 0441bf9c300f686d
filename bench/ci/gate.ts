/** Decides whether a benchmark result may pass, by the rules of gates.json. */

import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import {
  type BenchEntry,
  type BenchResult,
  type GateEntry,
  measuresOfBench,
  type RatioEntry,
} from '../../src/load/bench-result.ts';
import { change, compareMeasures } from '../../src/load/comparison.ts';

const rulesSchema = z.strictObject({
  about: z.string(),
  ratios: z.record(
    z.string(),
    z.strictObject({
      /** A change below it does not matter, however certain: 0.05 is 5 %. */
      leastEffect: z.number().positive().max(1),
      /** The median ratio to the reference may never exceed it, on any machine; null: no bound is known to hold everywhere. */
      ratioMax: z.number().positive().nullable(),
    }),
  ),
  /** Exact: one more fails; fewer passes, and says that the file can be tightened. */
  counts: z.record(z.string(), z.number().nonnegative()),
});

export type GateRules = z.infer<typeof rulesSchema>;

const GATES = new URL('./gates.json', import.meta.url);

export function readGateRules(url = GATES): GateRules {
  return rulesSchema.parse(JSON.parse(readFileSync(url, 'utf8')));
}

/** Writes the counts of a run into gates.json; counts that were not taken stay as they are. */
export function updateCounts(benches: readonly BenchEntry[]): void {
  const rules = readGateRules();
  const counted = benches.flatMap((bench) => (bench.kind === 'count' ? [[bench.name, bench.value] as const] : []));
  const counts = { ...rules.counts, ...Object.fromEntries(counted) };
  writeFileSync(GATES, `${JSON.stringify({ ...rules, counts }, null, 2)}\n`);
}

/** One in a thousand over all gates of a run: a green build is not turned red by chance more than once in a thousand runs. */
const SIGNIFICANCE = 0.001;

/**
 * Every gate's verdict on `result`. `baseline` is a result of the same machine to compare with (an unchanged build's); without it only
 * absolute bounds and counts are judged. A ratio fails when it is worse for certain, and by more than its least effect and the noise
 * floor of both runs.
 */
export function judge(
  result: Pick<BenchResult, 'benches'>,
  rules: GateRules,
  baseline?: Pick<BenchResult, 'benches'>,
): GateEntry[] {
  return result.benches.map((bench) =>
    bench.kind === 'count'
      ? judgeCount(bench, rules)
      : judgeRatio(
          bench,
          rules,
          baseline?.benches.find((each) => each.name === bench.name),
        ),
  );
}

function judgeCount(bench: Extract<BenchEntry, { kind: 'count' }>, rules: GateRules): GateEntry {
  const expected = rules.counts[bench.name];
  if (expected === undefined)
    return { name: bench.name, passed: false, words: 'gates.json has no count for it: add one' };
  if (bench.value === expected)
    return { name: bench.name, passed: true, words: `${bench.value} ${bench.unit}, as expected` };
  // Less work is no fault; the file is tightened when somebody looks at it next.
  const fewer = bench.value < expected;
  return {
    name: bench.name,
    passed: fewer,
    words: `${bench.value} ${bench.unit} instead of ${expected}: ${fewer ? 'fewer, so that npm run bench:ci -- --update-counts can tighten the gate' : 'more; find out why, and change gates.json only with the change that explains it'}`,
  };
}

function judgeRatio(bench: RatioEntry, rules: GateRules, before: BenchEntry | undefined): GateEntry {
  const rule = rules.ratios[bench.name];
  if (rule === undefined) return { name: bench.name, passed: false, words: 'gates.json has no rule for it: add one' };
  if (rule.ratioMax !== null && bench.low > rule.ratioMax) {
    return {
      name: bench.name,
      passed: false,
      words: `${bench.median.toFixed(3)} times ${bench.reference}, and never more than ${rule.ratioMax} is allowed`,
    };
  }
  const shown = `${bench.median.toFixed(3)} times ${bench.reference} (noise ${(bench.noiseFloor * 100).toFixed(1)} %)`;
  if (before === undefined || before.kind !== 'ratio') {
    return { name: bench.name, passed: true, words: `${shown}; nothing to compare with` };
  }
  const leastEffect = Math.max(rule.leastEffect, bench.noiseFloor, before.noiseFloor);
  const [compared] = compareMeasures(measuresOf(before), measuresOf(bench), {
    leastEffect,
    significance: SIGNIFICANCE,
  }).measures;
  const worse = compared!.verdict === 'worse';
  return {
    name: bench.name,
    passed: !worse,
    words: `${shown}, ${change(compared!.ratio)} against ${before.median.toFixed(3)} before${worse ? `: ${compared!.words}` : ''}`,
  };
}

function measuresOf(bench: BenchEntry) {
  return measuresOfBench({ benches: [bench] });
}
