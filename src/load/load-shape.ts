/** How much load is offered when: stages of a constant or a steadily changing rate, one after another. */

import { SallyportError } from '../errors.ts';

export interface Stage {
  /** Starts per second at the beginning and at the end of the stage; the rate between is the straight line. */
  readonly fromRate: number;
  readonly toRate: number;
  readonly seconds: number;
}

/** A day: beyond it a load test is an outage. */
const STAGE_SECONDS_MAX = 86_400;
/** Above what one machine's source ports and this generator can start. */
export const RATE_MAX = 1_000_000;
const STAGES_MAX = 100;

const SECONDS_OF: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3_600 };

/**
 * Reads `100:30s,100-500:1m,500:30s`: a rate for a time, or a ramp from one rate to another over a time, separated by commas.
 * Throws BAD_ARGUMENT that names the stage which cannot be read.
 */
export function parseStages(text: string): Stage[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > STAGES_MAX) throw new SallyportError('BAD_ARGUMENT', `there are more than ${STAGES_MAX} stages`);
  return parts.map((part) => {
    const match = /^(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?:(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(part);
    if (match === null) {
      throw new SallyportError(
        'BAD_ARGUMENT',
        `"${part}" is not a stage: write RATE:TIME such as 200:30s, or FROM-TO:TIME such as 0-200:10s`,
      );
    }
    const fromRate = Number(match[1]);
    const toRate = match[2] === undefined ? fromRate : Number(match[2]);
    return checkedStage({ fromRate, toRate, seconds: Number(match[3]) * SECONDS_OF[match[4]!]! }, part);
  });
}

export function checkedStage(stage: Stage, shown: string): Stage {
  const ratesFit = [stage.fromRate, stage.toRate].every((rate) => rate >= 0 && rate <= RATE_MAX);
  if (!ratesFit || !(stage.fromRate + stage.toRate > 0)) {
    throw new SallyportError('BAD_ARGUMENT', `"${shown}": a rate must be above 0 and at most ${RATE_MAX} a second`);
  }
  if (!(stage.seconds > 0 && stage.seconds <= STAGE_SECONDS_MAX)) {
    throw new SallyportError('BAD_ARGUMENT', `"${shown}": a stage must last more than 0 s and at most a day`);
  }
  return stage;
}

interface Segment extends Stage {
  readonly startSeconds: number;
  /** Expected starts before this stage. */
  readonly startCount: number;
}

/** The cumulated load of a sequence of stages, and its inverse. Times in seconds since the first stage began. */
export class LoadShape {
  readonly stages: readonly Stage[];
  readonly seconds: number;
  /** The expected number of starts over all stages. */
  readonly starts: number;
  readonly #segments: readonly Segment[];

  constructor(stages: readonly Stage[]) {
    this.stages = stages;
    const segments: Segment[] = [];
    let startSeconds = 0;
    let startCount = 0;
    for (const stage of stages) {
      segments.push({ ...stage, startSeconds, startCount });
      startSeconds += stage.seconds;
      startCount += startsOf(stage);
    }
    this.#segments = segments;
    this.seconds = startSeconds;
    this.starts = startCount;
  }

  /** The rate asked for at a moment, in starts per second; 0 outside. */
  rateAt(seconds: number): number {
    const segment = this.#segments.findLast((each) => each.startSeconds <= seconds);
    if (segment === undefined || seconds >= this.seconds) return 0;
    const within = (seconds - segment.startSeconds) / segment.seconds;
    return segment.fromRate + (segment.toRate - segment.fromRate) * within;
  }

  /** The expected starts until a moment. */
  startsBefore(seconds: number): number {
    if (seconds >= this.seconds) return this.starts;
    const segment = this.#segments.findLast((each) => each.startSeconds <= seconds);
    if (segment === undefined) return 0;
    const t = seconds - segment.startSeconds;
    const slope = (segment.toRate - segment.fromRate) / segment.seconds;
    return segment.startCount + segment.fromRate * t + (slope * t * t) / 2;
  }

  /**
   * When the expected number of starts reaches `count`: the time-rescaling that turns evenly spaced counts into evenly spaced starts,
   * and unit exponentials into a Poisson process of this rate (Cinlar's method). Undefined beyond the last stage.
   */
  timeOf(count: number): number | undefined {
    if (!(count < this.starts)) return undefined;
    const segment = this.#segments.findLast((each) => each.startCount <= count && startsOf(each) > 0);
    if (segment === undefined) return undefined;
    const wanted = count - segment.startCount;
    const slope = (segment.toRate - segment.fromRate) / segment.seconds;
    // fromRate t + slope t² / 2 = wanted, in the form of the quadratic formula that does not cancel.
    const root = Math.sqrt(Math.max(0, segment.fromRate * segment.fromRate + 2 * slope * wanted));
    const t = segment.fromRate + root === 0 ? 0 : (2 * wanted) / (segment.fromRate + root);
    return segment.startSeconds + Math.min(t, segment.seconds);
  }
}

function startsOf(stage: Stage): number {
  return ((stage.fromRate + stage.toRate) / 2) * stage.seconds;
}
