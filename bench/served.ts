/**
 * A server with customers, in a process of its own, that answers its parent: what it cost, what it counted, what memory it holds, and a
 * profile of every thread. Start it as an Actor with --expose-gc where memory is asked for.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import { enrollForRun } from '../src/cli/load/load-customers.ts';
import { assert } from '../src/errors.ts';
import type { LoadCustomer } from '../src/load/driver.ts';
import { SecurityServer } from '../src/server/index.ts';
import type { ServerConfiguration } from '../src/server/settings.ts';
import { answerQuestions } from './actor.ts';
import type { BatchCounts } from './scaling/load-steps.ts';
import { type MemoryReading, readMemory } from './scaling/memory-reading.ts';
import { type ThreadTimes, threadTimes } from './session-cost/thread-times.ts';
import { startProfiles, type ThreadProfile } from './session-parts/thread-profiles.ts';

export interface ServeParameters {
  readonly configuration: Partial<ServerConfiguration>;
  readonly customers: number;
}

export interface Served {
  readonly pid: number;
  readonly state: string;
  readonly port: number;
  readonly customers: LoadCustomer[];
}

export interface ServerReading extends BatchCounts {
  /** User and system, all threads. */
  readonly cpuUs: number;
  readonly threadsUs: ThreadTimes;
  /** Ended well. */
  readonly sessions: number;
  readonly live: number;
  readonly halfOpen: number;
}

/** How long sessions may take to end, or to be verified, before the bench gives up. */
const SETTLE_MS_MAX = 60_000;

const workers: Worker[] = [];
const state: { server?: SecurityServer; folder?: string; stopProfiles?: () => Promise<ThreadProfile[]> } = {};
process.on('worker', (worker: Worker) => workers.push(worker));

function running(): SecurityServer {
  assert(state.server !== undefined, 'the server was started');
  return state.server;
}

function read(): ServerReading {
  const { user, system } = process.cpuUsage();
  const { crypto, ledger, ended, live, halfOpen } = running().gauges;
  return {
    cpuUs: user + system,
    threadsUs: threadTimes(),
    sessions: ended.completed ?? 0,
    live,
    halfOpen,
    crypto,
    ledger,
  };
}

answerQuestions({
  serve: async ({ configuration, customers: count }: ServeParameters): Promise<Served> => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
    state.folder = folder;
    const server = await SecurityServer.start({
      configuration: { state: join(folder, 'state'), 'first-port': 0, groups: ['ffdhe3072'], ...configuration },
    });
    state.server = server;
    const customers = await enrollForRun(
      {
        ledger: server.ledger,
        peppers: { current: server.state.pepperVersion, byVersion: server.state.peppers },
        hostKey: server.state.hostPublicKey,
      },
      {
        count,
        currency: 'EUR',
        policy: { groups: server.configuration.groups, kems: ['ML-KEM-768'] },
        server: { host: '127.0.0.1', port: server.address.port },
        onProgress: () => {},
      },
    );
    return { pid: process.pid, state: join(folder, 'state'), port: server.address.port, customers };
  },
  read,
  /** Reads when so many sessions are claimed and so many customers half open, and no fewer than `sessions` have ended well. */
  settle: async (wanted: { readonly live: number; readonly halfOpen: number; readonly sessions?: number }) => {
    const deadline = performance.now() + SETTLE_MS_MAX;
    while (performance.now() < deadline) {
      const reading = read();
      if (reading.live === wanted.live && reading.halfOpen === wanted.halfOpen) {
        if (reading.sessions >= (wanted.sessions ?? 0)) return reading;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(
      `the server did not settle: wanted ${JSON.stringify(wanted)}, is ${JSON.stringify(running().gauges)}`,
    );
  },
  memory: (): Promise<MemoryReading> => readMemory(),
  profile: async () => {
    assert(state.stopProfiles === undefined, 'one profile at a time');
    state.stopProfiles = await startProfiles(workers.filter((worker) => worker.threadId !== -1));
  },
  profiled: async (): Promise<ThreadProfile[]> => {
    const stop = state.stopProfiles;
    assert(stop !== undefined, 'a profile was begun');
    delete state.stopProfiles;
    return stop();
  },
  /** Stops the server; its state is kept until the process ends. */
  stop: () => running().stop({ drainMs: 2_000 }),
});

process.once('disconnect', () => {
  const { server, folder } = state;
  void (server?.stop({ drainMs: 0 }) ?? Promise.resolve()).finally(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    process.exit(0);
  });
});
