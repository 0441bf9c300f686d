/** V8's CPU profiles of the threads of this process, all over the same time. */

import { startCpuProfile } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import type { CpuProfile } from './self-times.ts';

export type ThreadName = 'main' | 'crypto' | 'ledger';

export interface ThreadProfile {
  readonly thread: ThreadName;
  readonly profile: CpuProfile;
  /** CPU of the thread meanwhile, user and system. */
  readonly cpuUs: number;
}

/** Milliseconds between two samples. */
const SAMPLE_INTERVAL_MS = 0.5;
const LEDGER_THREAD = 'ledger';

/**
 * Starts profiling; the answer stops it. A crypto thread that waits for a task notices either with its next one, so there must be load
 * meanwhile.
 */
export async function startProfiles(workers: readonly Worker[]): Promise<() => Promise<ThreadProfile[]>> {
  const main = startCpuProfile({ sampleInterval: SAMPLE_INTERVAL_MS });
  const mainCpu = process.threadCpuUsage();
  const others = await Promise.all(
    workers.map(async (worker) => ({
      worker,
      handle: await worker.startCpuProfile({ sampleInterval: SAMPLE_INTERVAL_MS }),
      cpu: await worker.cpuUsage(),
    })),
  );
  return async () => {
    const { user, system } = process.threadCpuUsage(mainCpu);
    const profiles: ThreadProfile[] = [
      { thread: 'main', profile: JSON.parse(main.stop()) as CpuProfile, cpuUs: user + system },
    ];
    await Promise.all(
      others.map(async ({ worker, handle, cpu }) => {
        const used = await worker.cpuUsage(cpu);
        profiles.push({
          thread: worker.threadName === LEDGER_THREAD ? 'ledger' : 'crypto',
          profile: JSON.parse(await handle.stop()) as CpuProfile,
          cpuUs: used.user + used.system,
        });
      }),
    );
    return profiles;
  };
}
