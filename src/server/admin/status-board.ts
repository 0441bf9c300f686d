import { type ELDHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { EndedSession } from '../security-server-interface.ts';
import { LatencyWindow, type PhaseLatency } from './latency-window.ts';
import type { ObservedServer } from './metrics.ts';
import { readVersion } from './version.ts';

export type ServerState = 'starting' | 'serving' | 'draining' | 'ledger unavailable';

/** One second, as the plots show it. */
export interface Sample {
  /** End of the second, milliseconds since 1970. */
  readonly timeMs: number;
  readonly completed: number;
  /** Sessions and connections that ended otherwise. */
  readonly failed: number;
  readonly refused: number;
  readonly live: number;
  readonly leased: number;
  readonly cryptoQueue: number;
  readonly cryptoJobs: number;
  readonly commits: number;
  readonly transactions: number;
  /** 99th percentile of the second by phase, milliseconds; null when the phase did not happen. */
  readonly p99Ms: readonly (number | null)[];
}

/** What /status.json answers and the page shows. */
export interface Status {
  readonly timeMs: number;
  readonly state: ServerState;
  readonly version: string;
  readonly node: string;
  readonly uptimeSeconds: number;
  readonly residentBytes: number;
  /** 99th percentile of the event loop's delay in the last second, milliseconds. */
  readonly eventLoopP99Ms: number;
  /** The rest is null until the server has started. */
  readonly server: ServedStatus | null;
  readonly phases: readonly PhaseLatency[];
  readonly sample: Sample;
}

export interface ServedStatus {
  readonly firstPort: { readonly host: string; readonly port: number };
  readonly fingerprint: string;
  readonly kernel: {
    readonly name: string;
    readonly lanes: number;
    readonly rejected: readonly { name: string; reason: string }[];
  };
  readonly live: number;
  readonly halfOpen: number;
  readonly halfOpenMax: number;
  readonly ports: {
    readonly mode: string;
    /** The number of the map's first port; null when the system chooses them. */
    readonly first: number | null;
    readonly slots: number;
    readonly free: number;
    readonly leased: number;
    readonly quarantined: number;
    /** States of the ports in order, run by run: "f120l1f3q2". */
    readonly map: string;
    readonly quarantine: readonly {
      readonly port: number | null;
      readonly reason: string;
      readonly forSeconds: number;
    }[];
  };
  readonly crypto: ObservedServer['gauges']['crypto'];
  readonly ledger: ObservedServer['gauges']['ledger'];
  readonly ended: readonly Tally[];
  readonly refused: readonly Tally[];
}

export interface Tally {
  readonly reason: string;
  readonly count: number;
}

/** Five minutes: what one looks at when something just happened. Longer histories are Prometheus' work. */
const HISTORY_SECONDS = 300;
/** Quarantined ports listed by number; beyond it their count says enough. */
const QUARANTINE_SHOWN_MAX = 50;

/** Samples a server once a second and keeps the last five minutes of it. */
export class StatusBoard {
  readonly #version = readVersion();
  readonly #startedMs = performance.now();
  readonly #latencies = new LatencyWindow();
  readonly #history: Sample[] = [];
  readonly #eventLoop: ELDHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #listeners = new Set<(status: Status) => void>();
  readonly #timer: NodeJS.Timeout;
  #server: ObservedServer | undefined;
  #completed = 0;
  #failed = 0;
  #refused = 0;
  #before = { jobs: 0, commits: 0, committed: 0 };
  #status: Status;

  constructor() {
    this.#eventLoop.enable();
    this.#status = this.#take();
    this.#timer = setInterval(() => this.#tick(), 1_000);
    this.#timer.unref();
  }

  attach(server: ObservedServer): void {
    this.#server = server;
    server.on('phase', ({ phase, durationMs }) => this.#latencies.record(phase, durationMs));
    server.on('session-end', (ended) => this.#count(ended));
    server.on('refused', () => {
      this.#refused += 1;
    });
  }

  get state(): ServerState {
    if (this.#server === undefined) return 'starting';
    if (this.#server.draining) return 'draining';
    return this.#server.gauges.ledger.available ? 'serving' : 'ledger unavailable';
  }

  /** Of the last full second. */
  get status(): Status {
    return this.#status;
  }

  /** Oldest first. */
  get history(): readonly Sample[] {
    return this.#history;
  }

  /** Calls `listener` every second until the returned function is called. */
  watch(listener: (status: Status) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#eventLoop.disable();
    this.#listeners.clear();
  }

  #count({ reason }: EndedSession): void {
    if (reason === 'completed') this.#completed += 1;
    // A customer asked to come back with a cookie has not failed.
    else if (reason !== 'retryAsked') this.#failed += 1;
  }

  #tick(): void {
    this.#status = this.#take();
    this.#history.push(this.#status.sample);
    if (this.#history.length > HISTORY_SECONDS) this.#history.shift();
    for (const listener of [...this.#listeners]) listener(this.#status);
  }

  #take(): Status {
    const { second, window } = this.#latencies.endSecond();
    const gauges = this.#server?.gauges;
    const now = {
      jobs: gauges?.crypto.jobs ?? 0,
      commits: gauges?.ledger.commits ?? 0,
      committed: gauges?.ledger.committed ?? 0,
    };
    const sample: Sample = {
      timeMs: Date.now(),
      completed: this.#completed,
      failed: this.#failed,
      refused: this.#refused,
      live: gauges?.live ?? 0,
      leased: gauges?.ports.leased ?? 0,
      cryptoQueue: gauges?.crypto.queued ?? 0,
      cryptoJobs: now.jobs - this.#before.jobs,
      commits: now.commits - this.#before.commits,
      transactions: now.committed - this.#before.committed,
      p99Ms: second.map(({ p99Ms }) => p99Ms),
    };
    this.#before = now;
    this.#completed = 0;
    this.#failed = 0;
    this.#refused = 0;
    const eventLoopP99Ms = this.#eventLoop.percentile(99) / 1e6;
    this.#eventLoop.reset();
    return {
      timeMs: sample.timeMs,
      state: this.state,
      version: this.#version,
      node: process.version,
      uptimeSeconds: (performance.now() - this.#startedMs) / 1_000,
      residentBytes: process.memoryUsage.rss(),
      eventLoopP99Ms: Number.isFinite(eventLoopP99Ms) ? eventLoopP99Ms : 0,
      server: this.#server === undefined ? null : servedStatus(this.#server),
      phases: window,
      sample,
    };
  }
}

function servedStatus(server: ObservedServer): ServedStatus {
  const { configuration, gauges, kernel, quarantine } = server;
  const supply = configuration['second-ports'];
  return {
    firstPort: server.address,
    fingerprint: server.fingerprint,
    kernel: { name: kernel.name, lanes: kernel.lanes, rejected: kernel.rejected },
    live: gauges.live,
    halfOpen: gauges.halfOpen,
    halfOpenMax: configuration['half-open-max'],
    ports: {
      mode: configuration['port-mode'],
      first: supply.kind === 'range' ? supply.first : null,
      ...gauges.ports,
      map: encodePortMap(server.portMap),
      quarantine: quarantine.slice(0, QUARANTINE_SHOWN_MAX).map(({ port, reason, untilMs }) => ({
        port: port ?? null,
        reason,
        forSeconds: Math.max(0, Math.round((untilMs - performance.now()) / 1_000)),
      })),
    },
    crypto: gauges.crypto,
    ledger: gauges.ledger,
    ended: tallies(gauges.ended),
    refused: tallies(gauges.refused),
  };
}

function tallies(counts: Readonly<Record<string, number>>): Tally[] {
  return Object.entries(counts)
    .map(([reason, count]) => ({ reason, count }))
    .sort((a, b) => b.count - a.count);
}

/** Run-length: the first letter of a state and how many ports in a row have it. Ten thousand free ports are seven characters. */
export function encodePortMap(states: readonly string[]): string {
  const runs: string[] = [];
  for (let start = 0; start < states.length; ) {
    let end = start + 1;
    while (end < states.length && states[end] === states[start]) end += 1;
    runs.push(`${states[start]![0]}${end - start}`);
    start = end;
  }
  return runs.join('');
}
