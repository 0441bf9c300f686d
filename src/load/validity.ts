/** When a run must not be believed: the generator, not the server, was the limit. */

/** What one generator thread, or all of them together, felt while it ran. */
export interface GeneratorHealth {
  readonly threads: readonly ThreadHealth[];
  /** 99th percentile of how late operations started, over the measured time. */
  readonly lagP99Ns: number;
  readonly wholeP99Ns: number;
  /** Operations that were due in the measured time, and those that were started. */
  readonly due: number;
  readonly started: number;
  /** Errors of this machine by operating system's code: EADDRNOTAVAIL, EMFILE, ... */
  readonly localErrors: Readonly<Record<string, number>>;
  readonly mode: 'open' | 'closed';
}

export interface ThreadHealth {
  /** Share of the measured time in which the event loop was busy, 0 to 1. */
  readonly eventLoopUtilization: number;
  /** CPU time of the thread as a share of the measured time, 0 to 1. */
  readonly cpu: number;
  /** 99th percentile of the event loop's delay, in nanoseconds. */
  readonly loopDelayP99Ns: number;
}

export type RejectionCode =
  | 'EVENT_LOOP_SATURATED'
  | 'CPU_SATURATED'
  | 'STARTS_LATE'
  | 'SOURCE_PORTS'
  | 'DESCRIPTORS'
  | 'RATE_NOT_OFFERED';

export interface Rejection {
  readonly code: RejectionCode;
  /** What was the limit and what to do. */
  readonly words: string;
}

/** An event loop busier than this answers late by queueing alone (M/D/1: mean wait at 0.95 is 9.5 service times). */
export const UTILIZATION_MAX = 0.95;
/** Operations may start late by this at the 99th percentile: several times the millisecond of Node's timers. */
export const LAG_P99_NS_MAX = 10_000_000;
/** ... or by this share of the 99th percentile measured, when that is longer: a tenth does not change what a result says. */
export const LAG_SHARE_MAX = 0.1;
/** Less than this share of what was due counts as not offered. */
export const OFFERED_SHARE_MIN = 0.99;

const PORT_CODES = ['EADDRNOTAVAIL', 'EADDRINUSE'];
const DESCRIPTOR_CODES = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'];

/** Codes that are this machine's own fault, never the server's. */
export const LOCAL_ERROR_CODES: ReadonlySet<string> = new Set([...PORT_CODES, ...DESCRIPTOR_CODES]);

/** Every reason not to believe the run; none when it stands. */
export function rejectionsOf(health: GeneratorHealth): Rejection[] {
  const rejections: Rejection[] = [];
  const busiest = Math.max(0, ...health.threads.map((thread) => thread.eventLoopUtilization));
  if (busiest > UTILIZATION_MAX) {
    rejections.push({
      code: 'EVENT_LOOP_SATURATED',
      words: `the event loop of a generator thread was busy ${percent(busiest)} of the time: use more --threads, a lower rate, or another machine`,
    });
  }
  const hottest = Math.max(0, ...health.threads.map((thread) => thread.cpu));
  if (hottest > UTILIZATION_MAX) {
    rejections.push({
      code: 'CPU_SATURATED',
      words: `a generator thread used ${percent(hottest)} of a CPU: use more --threads, a lower rate, or another machine`,
    });
  }
  const lagMax = Math.max(LAG_P99_NS_MAX, LAG_SHARE_MAX * health.wholeP99Ns);
  if (health.mode === 'open' && health.lagP99Ns > lagMax) {
    rejections.push({
      code: 'STARTS_LATE',
      words: `one operation in a hundred started ${(health.lagP99Ns / 1e6).toFixed(1)} ms late or more: the generator did not keep its schedule`,
    });
  }
  const ports = countOf(health.localErrors, PORT_CODES);
  if (ports > 0) {
    rejections.push({
      code: 'SOURCE_PORTS',
      words: `${ports} connections found no free source port: give more addresses with --source, or a lower rate (a closed connection keeps its port for a minute)`,
    });
  }
  const descriptors = countOf(health.localErrors, DESCRIPTOR_CODES);
  if (descriptors > 0) {
    rejections.push({
      code: 'DESCRIPTORS',
      words: `${descriptors} connections could not be opened for want of descriptors or memory: raise the limit with "ulimit -n"`,
    });
  }
  if (health.mode === 'open' && health.started < OFFERED_SHARE_MIN * health.due) {
    rejections.push({
      code: 'RATE_NOT_OFFERED',
      words: `${health.due - health.started} of ${health.due} operations could not be started, too many being under way: the server fell behind the rate, or --in-flight is too low`,
    });
  }
  return rejections;
}

function countOf(errors: Readonly<Record<string, number>>, codes: readonly string[]): number {
  return codes.reduce((sum, code) => sum + (errors[code] ?? 0), 0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
