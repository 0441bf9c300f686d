/** A server in this process, on loopback ports that the system gives, with enrolled customers and the load driver's sessions. */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { enrollForRun } from '../../src/cli/load/load-customers.ts';
import { assert } from '../../src/errors.ts';
import { monotonicNs, systemClock } from '../../src/load/clock.ts';
import { openDriver } from '../../src/load/driver.ts';
import { parseWorkload } from '../../src/load/workload.ts';
import { SecurityServer } from '../../src/server/index.ts';

export interface BenchServer {
  readonly server: SecurityServer;
  /** One whole session of `workload`; every receipt is verified. */
  session(workload: string): Promise<void>;
  /** Resolves when no session is left at the server. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function openBenchServer(parent: string): Promise<BenchServer> {
  const directory = await mkdtemp(join(parent, 'sallyport-bench-'));
  const server = await SecurityServer.start({
    configuration: {
      state: join(directory, 'state'),
      'first-port': 0,
      'second-ports': { kind: 'system', count: 64 },
      threads: 1,
    },
  });
  const customers = await enrollForRun(
    {
      ledger: server.ledger,
      peppers: { current: server.state.pepperVersion, byVersion: server.state.peppers },
      hostKey: server.state.hostPublicKey,
    },
    {
      count: 1,
      currency: 'EUR',
      policy: { groups: ['ffdhe3072'], kems: ['ML-KEM-768'] },
      server: { host: '127.0.0.1', port: server.address.port },
      onProgress: () => {},
    },
  );
  const clock = systemClock(monotonicNs());
  const count = { sessions: 0 };
  return {
    server,
    async session(workload) {
      const driver = await openDriver(
        {
          customers,
          workload: parseWorkload(workload),
          seed: 1,
          amount: '0.01',
          currency: 'EUR',
          runId: new Uint8Array(8),
          sources: [],
        },
        clock,
      );
      const startNs = clock.nowNs();
      count.sessions += 1;
      const end = await driver.operate({ index: count.sessions, intendedNs: startNs, startNs });
      assert(end.error === undefined, `a session ends well, and not with ${end.error}`);
    },
    async idle() {
      while (server.gauges.live > 0 || server.gauges.halfOpen > 0)
        await new Promise((resolve) => setImmediate(resolve));
    },
    async close() {
      await server.stop({ drainMs: 0 });
      await rm(directory, { recursive: true });
    },
  };
}
