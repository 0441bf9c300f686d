/**
 * Times two pieces of work against each other: in one process, in turns, so that whatever slows the machine slows both.
 *
 * A round is several short turns of each side, alternating in the order ABBA (a drift within the round cancels). The shortest turn of each
 * side stands for it: what other programs take of the machine only ever makes a turn longer, and a turn of a millisecond usually escapes
 * them. (What happens in some turns only, such as a garbage collection, is left out by this.) The value of a round is the ratio of the two; the result is the median over the rounds. Before it the same is done with the
 * reference on both sides (A/A): what differs then is noise, and a change that small proves nothing.
 */

import type { RatioEntry } from '../../src/load/bench-result.ts';
import { seededRandom } from '../../src/load/random.ts';
import { bootstrapInterval, median } from '../../src/load/statistics.ts';
import type { BenchPair, Work } from './subject.ts';

export interface RatioSettings {
  readonly rounds: number;
  /** Rounds of the A/A run before. */
  readonly noiseRounds: number;
  /** Turns of each side in a round. */
  readonly turns: number;
  /** How long one turn lasts, in milliseconds; at least one iteration. */
  readonly turnMs: number;
}

export const RATIO_SETTINGS: RatioSettings = { rounds: 40, noiseRounds: 20, turns: 6, turnMs: 1 };

const CONFIDENCE = 0.95;
const NOISE_CONFIDENCE = 0.99;
const SEED = 20_260_102;
/** A turn of a slow piece of work is one iteration, however long. */
const ITERATIONS_MAX = 1_000_000;
const WARM_UP_MS = 60;
/** Slow work gets fewer rounds, so that no benchmark takes much longer than this; but never fewer than what a median needs. */
const BUDGET_MS = 6_000;
const ROUNDS_MIN = 8;

export async function measureRatio(pair: BenchPair, settings: RatioSettings = RATIO_SETTINGS): Promise<RatioEntry> {
  await warmUp(pair.subject);
  await warmUp(pair.referenceWork);
  const subjectIterations = await iterationsFor(pair.subject, settings.turnMs);
  const referenceIterations = await iterationsFor(pair.referenceWork, settings.turnMs);
  const subject = { work: pair.subject, iterations: subjectIterations };
  const reference = { work: pair.referenceWork, iterations: referenceIterations };
  const noise = await rounds(reference, reference, settings.noiseRounds, settings);
  const measured = await rounds(subject, reference, settings.rounds, settings);
  const { low, high } = intervalOfMedian(measured.ratios, CONFIDENCE);
  return {
    kind: 'ratio',
    name: pair.name,
    what: pair.what,
    reference: pair.reference,
    samples: measured.ratios,
    median: median(measured.ratios),
    low,
    high,
    subjectNs: median(measured.firstNs),
    referenceNs: median(measured.secondNs),
    iterations: subjectIterations,
    noiseFloor: noiseFloorOf(noise.ratios),
  };
}

/** The farthest from 1 that the median of equal work may lie, at 99 %. */
export function noiseFloorOf(ratios: readonly number[]): number {
  const { low, high } = intervalOfMedian(ratios, NOISE_CONFIDENCE);
  return Math.max(Math.abs(low - 1), Math.abs(high - 1));
}

interface Turn {
  readonly work: Work;
  readonly iterations: number;
}

async function rounds(first: Turn, second: Turn, wanted: number, { turns }: RatioSettings) {
  const ratios: number[] = [];
  const firstNs: number[] = [];
  const secondNs: number[] = [];
  const until = performance.now() + BUDGET_MS;
  while (ratios.length < wanted && (ratios.length < ROUNDS_MIN || performance.now() < until)) {
    const best = { first: Number.POSITIVE_INFINITY, second: Number.POSITIVE_INFINITY };
    for (let turn = 0; turn < turns; turn += 1) {
      for (const side of turn % 2 === 0 ? (['first', 'second'] as const) : (['second', 'first'] as const)) {
        best[side] = Math.min(best[side], await nsPerIteration(side === 'first' ? first : second));
      }
    }
    firstNs.push(best.first);
    secondNs.push(best.second);
    ratios.push(best.first / best.second);
  }
  return { ratios, firstNs, secondNs };
}

async function nsPerIteration({ work, iterations }: Turn): Promise<number> {
  const start = process.hrtime.bigint();
  const result = work(iterations);
  if (result !== undefined) await result;
  return Number(process.hrtime.bigint() - start) / iterations;
}

async function warmUp(work: Work): Promise<void> {
  const until = performance.now() + WARM_UP_MS;
  do {
    await work(1);
  } while (performance.now() < until);
}

async function iterationsFor(work: Work, turnMs: number): Promise<number> {
  let iterations = 1;
  for (;;) {
    const ms = ((await nsPerIteration({ work, iterations })) * iterations) / 1e6;
    if (ms >= turnMs / 2 || iterations >= ITERATIONS_MAX) {
      return Math.max(1, Math.min(ITERATIONS_MAX, Math.round((iterations * turnMs) / ms)));
    }
    iterations *= 4;
  }
}

function intervalOfMedian(values: readonly number[], confidence: number) {
  return bootstrapInterval([values], ([sample]) => median(sample!), {
    random: seededRandom(SEED),
    confidence,
    inSeries: false,
  });
}
