/** Two results side by side: what changed, by how much, and how sure that is. */

import type { Measure } from './measure.ts';
import { seededRandom } from './random.ts';
import { bootstrapInterval, holm, type Interval, mannWhitney, mean, median, ratioBy } from './statistics.ts';

export interface ComparisonRules {
  /** A smaller relative change does not matter: 0.05 is 5 %. */
  readonly leastEffect: number;
  /** Chance of calling any of the measures changed when none is. */
  readonly significance: number;
}

export const COMPARISON_RULES: ComparisonRules = { leastEffect: 0.05, significance: 0.01 };

/** Fewer samples than this on either side say nothing at 1 %: 5 against 5 has a least two-sided p of 0.008. */
export const SAMPLES_MIN = 5;

export type Verdict =
  /** Changed by at least the least effect, for certain. */
  | 'better'
  | 'worse'
  /** The difference is smaller than the least effect, for certain. */
  | 'same'
  /** The samples do not decide it. */
  | 'unclear';

export interface MeasureComparison {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** The median or mean of the samples; of exact counts the count. */
  readonly before: number;
  readonly after: number;
  /** after / before. */
  readonly ratio: number;
  /** Of the ratio, at 95 %. */
  readonly interval: Interval;
  /** Corrected for the number of measures compared. */
  readonly p: number;
  /** Probability that a reading after exceeds a reading before; 0.5 is no effect. */
  readonly superiority: number;
  readonly verdict: Verdict;
  /** One sentence for a person. */
  readonly words: string;
}

export interface Comparison {
  readonly rules: ComparisonRules;
  readonly measures: readonly MeasureComparison[];
  /** Measures that only one side has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

/** The bootstrap's draws are the same every time, so that the same two files give the same words. */
const BOOTSTRAP_SEED = 20_260_101;
const CONFIDENCE = 0.95;

export function compareMeasures(
  before: readonly Measure[],
  after: readonly Measure[],
  rules: ComparisonRules = COMPARISON_RULES,
): Comparison {
  const afterByName = new Map(after.map((measure) => [measure.name, measure]));
  const pairs = before.flatMap((measure) => {
    const other = afterByName.get(measure.name);
    return other === undefined || other.unit !== measure.unit ? [] : [[measure, other] as const];
  });
  const tests = pairs.map(([a, b]) => mannWhitney(a.samples, b.samples));
  const corrected = holm(tests.map((test) => test.p));
  const matched = new Set(pairs.map(([measure]) => measure.name));
  return {
    rules,
    measures: pairs.map(([a, b], index) => comparePair(a, b, corrected[index]!, tests[index]!.superiority, rules)),
    onlyBefore: before.filter((measure) => !matched.has(measure.name)).map((measure) => measure.name),
    onlyAfter: after.filter((measure) => !matched.has(measure.name)).map((measure) => measure.name),
  };
}

function comparePair(
  a: Measure,
  b: Measure,
  p: number,
  superiority: number,
  rules: ComparisonRules,
): MeasureComparison {
  const base = { name: a.name, unit: a.unit, better: a.better, before: a.value, after: b.value };
  if (a.exact && b.exact) {
    const ratio = a.value === b.value ? 1 : b.value / a.value;
    const verdict = a.value === b.value ? 'same' : b.value < a.value === (a.better === 'lower') ? 'better' : 'worse';
    const words =
      verdict === 'same'
        ? 'the same count'
        : `${a.value} became ${b.value}, an exact count that changes only with the program`;
    return {
      ...base,
      ratio,
      interval: { low: ratio, high: ratio },
      p: verdict === 'same' ? 1 : 0,
      superiority,
      verdict,
      words,
    };
  }
  const samples = [a.samples, b.samples];
  const undecided = { interval: { low: Number.NaN, high: Number.NaN }, superiority };
  if (samples.some((sample) => sample.length < SAMPLES_MIN)) {
    const words = `too few readings to decide (${a.samples.length} and ${b.samples.length}; at least ${SAMPLES_MIN} are needed)`;
    return {
      ...base,
      ...undecided,
      ratio: a.value === 0 ? Number.NaN : b.value / a.value,
      p: 1,
      verdict: 'unclear',
      words,
    };
  }
  const statistic = a.statistic === 'mean' ? mean : median;
  const [before, after] = [statistic(a.samples), statistic(b.samples)];
  if (before === 0) {
    const certain = p < rules.significance;
    const verdict = after === 0 ? 'same' : !certain ? 'unclear' : a.better === 'lower' ? 'worse' : 'better';
    const words = after === 0 ? 'none on both sides' : `none before and some now, ${chanceOf(p)}`;
    return {
      ...base,
      ...undecided,
      before,
      after,
      ratio: after === 0 ? 1 : Number.POSITIVE_INFINITY,
      p,
      verdict,
      words,
    };
  }
  const ratio = after / before;
  const interval = bootstrapInterval(samples, ratioBy(statistic), {
    random: seededRandom(BOOTSTRAP_SEED),
    confidence: CONFIDENCE,
    inSeries: a.inSeries || b.inSeries,
  });
  const verdict = verdictOf(interval, p, a.better, rules);
  const words = wordsOf(verdict, ratio, interval, p, a.better, rules);
  return { ...base, before, after, ratio, interval, p, superiority, verdict, words };
}

function chanceOf(p: number): string {
  return p < 0.0001 ? 'p < 0.0001' : `p = ${p.toPrecision(2)}`;
}

function verdictOf(interval: Interval, p: number, better: 'lower' | 'higher', rules: ComparisonRules): Verdict {
  // Symmetric in the ratio: twice and half are the same size of effect.
  const most = 1 + rules.leastEffect;
  const least = 1 / most;
  if (interval.low > least && interval.high < most) return 'same';
  const middle = Math.sqrt(Math.max(0, interval.low * interval.high));
  const matters = middle >= most || middle <= least;
  const certain = p < rules.significance && (interval.low > 1 || interval.high < 1);
  if (!matters || !certain) return 'unclear';
  return middle < 1 === (better === 'lower') ? 'better' : 'worse';
}

function wordsOf(
  verdict: Verdict,
  ratio: number,
  interval: Interval,
  p: number,
  better: 'lower' | 'higher',
  rules: ComparisonRules,
): string {
  const range = `${change(interval.low)} to ${change(interval.high)} at 95 %`;
  const chance = chanceOf(p);
  switch (verdict) {
    case 'better':
    case 'worse': {
      const direction = ratio > 1 ? 'more' : 'less';
      return `${Math.abs((ratio - 1) * 100).toFixed(1)} % ${direction}, which is ${verdict} (${better} is better): ${range}, ${chance}`;
    }
    case 'same':
      return `the same to within ${(rules.leastEffect * 100).toFixed(0)} %: ${range}`;
    case 'unclear':
      return `not decided: ${change(ratio)}, but ${range}, ${chance}; more or longer runs would tell`;
  }
}

/** +4.2 % */
export function change(ratio: number): string {
  if (!Number.isFinite(ratio)) return 'n/a';
  const percent = (ratio - 1) * 100;
  return `${percent >= 0 ? '+' : '−'}${Math.abs(percent).toFixed(1)} %`;
}
