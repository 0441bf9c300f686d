import type { LoadResult } from '../../../src/load/load-result.ts';
import { type LoadPlan, runLoad } from '../../../src/load/load-run.ts';
import { parseStages } from '../../../src/load/load-shape.ts';
import { StopSwitch } from '../../../src/load/scheduler.ts';
import { parseThreshold } from '../../../src/load/thresholds.ts';
import type { RehearsalSettings } from './rehearsal-driver.ts';

export const QUICK: RehearsalSettings = { meanMs: 2, failEvery: 0, error: 'BUSY', burnMs: 0 };

/** A plan whose operations never leave the process. */
export function rehearsalPlan(
  over: Partial<LoadPlan> & { settings?: Partial<RehearsalSettings>; stages?: string; threads?: number } = {},
): LoadPlan {
  const { settings, stages, threads, ...plan } = over;
  return {
    product: '0.0.0',
    target: '127.0.0.1:7919',
    workload: 'payment',
    load: { mode: 'open', stages: parseStages(stages ?? '300:1s'), arrivals: 'poisson' },
    count: undefined,
    warmupSeconds: 0,
    seed: 7,
    inFlightMax: 1_000,
    customers: 4,
    sources: [],
    thresholds: [parseThreshold('p99<200ms'), parseThreshold('errors<1%')],
    driverUrl: new URL('./rehearsal-driver.ts', import.meta.url).href,
    driverSettings: Array.from({ length: threads ?? 1 }, () => ({ ...QUICK, ...settings })),
    keepIntervalHistograms: false,
    ...plan,
  };
}

export async function rehearse(
  over: Parameters<typeof rehearsalPlan>[0] = {},
  stop = new StopSwitch(),
  onStatus: Parameters<typeof runLoad>[1] = () => {},
): Promise<LoadResult> {
  const { result } = await runLoad(rehearsalPlan(over), onStatus, stop);
  return result;
}
