/** The options of `load`, and what they mean together. */

import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { GroupName } from '../../crypto/index.ts';
import type { ArrivalProcess } from '../../load/arrivals.ts';
import type { LoadPlan } from '../../load/load-run.ts';
import { checkedStage, LoadShape, parseStages, RATE_MAX } from '../../load/load-shape.ts';
import type { OperatorOptions } from '../operator-state.ts';
import { UsageError } from '../output.ts';

export interface LoadOptions extends OperatorOptions {
  readonly workload: string;
  readonly server?: string;
  readonly customers: number;
  readonly customersFile?: string;
  readonly keepCustomers?: string;
  readonly group: GroupName;
  readonly kem: 'ML-KEM-768' | 'none';
  readonly amount: string;
  readonly currency: string;
  readonly rate?: number;
  readonly stages?: string;
  readonly arrivals: ArrivalProcess;
  readonly closed?: number;
  readonly duration?: number;
  readonly count?: number;
  readonly warmUp: number;
  readonly seed: number;
  readonly inFlight: number;
  readonly threads?: number;
  readonly source?: readonly string[];
  readonly threshold?: readonly string[];
  readonly findCapacity?: boolean;
  readonly rateMax: number;
  readonly probe: number;
  readonly verify: boolean;
  readonly save?: string;
  readonly html?: string;
  readonly csv?: string;
  readonly hdr?: string;
}

export const COMMAND_DEFAULTS = {
  customers: 16,
  rate: 50,
  durationMs: 10_000,
  warmUpMs: 1_000,
  inFlight: 10_000,
  rateMax: 20_000,
  probeMs: 5_000,
  rateOf(text: string): number {
    const value = /^\d{1,7}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
    if (!(value > 0 && value <= RATE_MAX))
      throw new InvalidArgumentError(`It must be above 0 and at most ${RATE_MAX} a second.`);
    return value;
  },
};

/** A run that ends by its count may take this many times as long as its rate says. */
const COUNT_PATIENCE = 2;
/** A closed loop that ends by its count alone is given up after an hour. */
const CLOSED_SECONDS_MAX = 3_600;

export function threadsOf(options: LoadOptions): number {
  return options.threads ?? Math.max(1, availableParallelism() - 1);
}

/** The load that the options ask for. Throws UsageError for combinations that contradict each other. */
export function loadOf(options: LoadOptions): LoadPlan['load'] {
  const { rate, stages, closed, duration, count, warmUp, findCapacity } = options;
  const given = [rate, stages, closed].filter((each) => each !== undefined).length;
  if (given > 1 && !(findCapacity === true && rate !== undefined && given === 1)) {
    throw new UsageError('--rate, --stages and --closed say different things', 'Give one of them.');
  }
  if (findCapacity === true && (stages !== undefined || closed !== undefined || count !== undefined)) {
    throw new UsageError(
      '--find-capacity chooses its rates itself',
      '--rate is where it begins, --rate-max where it ends.',
    );
  }
  if (stages !== undefined && duration !== undefined) {
    throw new UsageError('--stages have their own durations', 'Leave --duration out.');
  }
  const warmUpSeconds = warmUp / 1_000;
  if (closed !== undefined) {
    const seconds = duration ?? (count === undefined ? COMMAND_DEFAULTS.durationMs : CLOSED_SECONDS_MAX * 1_000);
    return { mode: 'closed', customersAtOnce: closed, seconds: warmUpSeconds + seconds / 1_000 };
  }
  if (stages !== undefined) {
    const parsed = parseStages(stages);
    if (new LoadShape(parsed).seconds <= warmUpSeconds) {
      throw new UsageError(
        'the warm-up is as long as the stages',
        'The warm-up is the beginning of the first stages: make it shorter.',
      );
    }
    return { mode: 'open', stages: parsed, arrivals: options.arrivals };
  }
  const perSecond = rate ?? COMMAND_DEFAULTS.rate;
  const seconds =
    warmUpSeconds +
    (duration ??
      (count === undefined ? COMMAND_DEFAULTS.durationMs : (COUNT_PATIENCE * count * 1_000) / perSecond + 1_000)) /
      1_000;
  const stage = { fromRate: perSecond, toRate: perSecond, seconds };
  return { mode: 'open', stages: [checkedStage(stage, `${perSecond}:${seconds}s`)], arrivals: options.arrivals };
}

/** host:port */
export function serverOf(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new UsageError(
      `--server ${text} is no address`,
      'It must be host:port, such as 127.0.0.1:7919 or [::1]:7919.',
    );
  }
  return { host: (match[1] ?? match[2])!, port };
}
