/** Honest customers, in a process of their own: each payment in a session of its own, begun at a fixed rate whatever became of the others. */

import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Customer, DEFAULT_POLICY } from '../../src/customer/index.ts';
import { answerQuestions, cpuMs } from '../actor.ts';

export interface Served {
  readonly port: number;
  readonly customerId: string;
  readonly profile: Readonly<Record<string, string>>;
  readonly credential: string;
  readonly hostKey: string;
}

interface HonestParameters {
  readonly served: Served;
  readonly ratePerSecond: number;
  readonly milliseconds: number;
}

export interface HonestResult {
  readonly begun: number;
  /** With a valid receipt within PATIENCE_MS of their beginning. */
  readonly paid: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly cpuMs: number;
}

/** What a customer waits for a payment before it counts as lost. */
const PATIENCE_MS = 5_000;

async function payOnce({ port, customerId, profile, credential, hostKey }: Served): Promise<void> {
  const customer = new Customer(
    {
      customerId,
      profile,
      credential: new Uint8Array(Buffer.from(credential, 'hex')),
      hostKey: new Uint8Array(Buffer.from(hostKey, 'hex')),
      server: { host: '127.0.0.1', port },
      policy: DEFAULT_POLICY,
    },
    { retryForMs: PATIENCE_MS },
  );
  try {
    await customer.pay({ from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' });
  } finally {
    void customer.close();
  }
}

answerQuestions({
  pay: async ({ served, ratePerSecond, milliseconds }: HonestParameters): Promise<HonestResult> => {
    const cpuBefore = cpuMs();
    const durations: number[] = [];
    const failures: Record<string, number> = {};
    const payments: Promise<void>[] = [];
    const begun = performance.now();
    while (performance.now() - begun < milliseconds) {
      const due = Math.floor(((performance.now() - begun) * ratePerSecond) / 1_000) - payments.length;
      for (let count = 0; count < due; count++) {
        const startedMs = performance.now();
        payments.push(
          payOnce(served).then(
            () => void durations.push(performance.now() - startedMs),
            (error: { readonly code?: string }) => {
              const code = error.code ?? 'unknown';
              failures[code] = (failures[code] ?? 0) + 1;
            },
          ),
        );
      }
      await wait(5);
    }
    await Promise.all(payments);
    const inTime = durations.filter((ms) => ms <= PATIENCE_MS).sort((a, b) => a - b);
    const quantile = (q: number): number =>
      inTime[Math.min(inTime.length - 1, Math.floor(q * inTime.length))] ?? Number.NaN;
    return {
      begun: payments.length,
      paid: inTime.length,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      failures,
      cpuMs: cpuMs() - cpuBefore,
    };
  },
});
