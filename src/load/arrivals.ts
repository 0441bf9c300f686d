/** When operations are due, decided before the first one starts: the schedule knows nothing of how the server answers. */

import type { LoadShape } from './load-shape.ts';
import { exponential, seededRandom } from './random.ts';

export type ArrivalProcess = 'poisson' | 'even';

export interface Arrival {
  /** Position in the whole schedule, from 0. */
  readonly index: number;
  /** Intended start, in nanoseconds since the schedule's beginning. */
  readonly dueNs: number;
}

export interface Schedule {
  readonly shape: LoadShape;
  readonly process: ArrivalProcess;
  readonly seed: number;
  /** At most so many arrivals; undefined: as many as the shape gives. */
  readonly count?: number | undefined;
}

/** A generator thread's part of the schedule: every `of`-th arrival from `part`. */
export interface Share {
  readonly part: number;
  readonly of: number;
}

/**
 * The arrivals of a schedule, or of one thread's share of it. Every thread draws the whole sequence and keeps its own, so that a seed
 * gives the same arrivals whatever the number of threads.
 */
export function* arrivalsOf(schedule: Schedule, share: Share = { part: 0, of: 1 }): Generator<Arrival> {
  const random = seededRandom(schedule.seed);
  const count = schedule.count ?? Number.POSITIVE_INFINITY;
  let mass = schedule.process === 'even' ? 0 : exponential(random);
  for (let index = 0; index < count; index += 1) {
    const seconds = schedule.shape.timeOf(mass);
    if (seconds === undefined) return;
    if (index % share.of === share.part) yield { index, dueNs: Math.round(seconds * 1e9) };
    mass += schedule.process === 'even' ? 1 : exponential(random);
  }
}
