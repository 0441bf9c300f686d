/** The server under attack, in a process of its own: its CPU, the delay of its event loop, and its gauges. */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Stage } from '../../test/e2e/stage.ts';
import { answerQuestions, cpuMs } from '../actor.ts';

/** Without it nothing asks for a RETRY: rooms so large that no flood of this bench fills them by half. */
const NO_PUZZLE = { 'crypto-queue': 1_000_000, 'half-open-max': 1_000_000 };

const state: { stage?: Stage; cpuMs: number } = { cpuMs: 0 };
const delay = monitorEventLoopDelay({ resolution: 5 });

answerQuestions({
  start: async ({ puzzle }: { readonly puzzle: boolean }) => {
    const stage = await Stage.open({
      groups: ['ffdhe3072'],
      'second-ports': { kind: 'range', first: 20_000, last: 29_999 },
      'half-open-per-host': 1_000_000,
      'half-open-per-network': 1_000_000,
      'lease-ms': 10_000,
      ...(puzzle ? {} : NO_PUZZLE),
    });
    state.stage = stage;
    const { customerId, profile, credential, hostKey } = await stage.enroll('alice', 1_000_000_00n);
    await stage.enroll('bob');
    return {
      port: stage.server.address.port,
      customerId,
      profile,
      credential: Buffer.from(credential).toString('hex'),
      hostKey: Buffer.from(hostKey!).toString('hex'),
    };
  },
  begin: () => {
    delay.enable();
    delay.reset();
    state.cpuMs = cpuMs();
  },
  end: () => {
    delay.disable();
    const { gauges } = state.stage!.server;
    return {
      cpuMs: cpuMs() - state.cpuMs,
      // The histogram counts from the timer's own resolution.
      loopDelayP50Ms: Math.max(0, delay.percentile(50) / 1e6 - 5),
      loopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - 5),
      loopDelayMaxMs: Math.max(0, delay.max / 1e6 - 5),
      jobs: gauges.crypto.jobs,
      queued: gauges.crypto.queued,
      halfOpen: gauges.halfOpen,
    };
  },
  gauges: () => state.stage!.server.gauges,
});

process.once('disconnect', () => void state.stage?.[Symbol.asyncDispose]());
