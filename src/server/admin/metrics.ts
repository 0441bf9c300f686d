import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { QuotaRefusal } from '../admission/quotas.ts';
import type { SecurityServer } from '../security-server.ts';
import type { SecurityServerGauges } from '../security-server-interface.ts';
import type { Phase } from '../session-report.ts';
import { readVersion } from './version.ts';

/** What is observed of a security server. */
export type ObservedServer = Pick<
  SecurityServer,
  | 'gauges'
  | 'draining'
  | 'portMap'
  | 'quarantine'
  | 'kernel'
  | 'fingerprint'
  | 'address'
  | 'configuration'
  | 'on'
  | 'off'
>;

/**
 * Bounds of the latency histograms, in seconds: a commit takes some milliseconds, a busy crypto queue tens, a session as long as its
 * customer likes up to session-timeout-ms.
 */
const PHASE_BOUNDS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
] as const;

/** Gauges of prom-client's that are named as counters: `promtool check metrics` objects. The same numbers by kind stay, without `_total`. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

const REFUSALS = Object.keys({
  'half-open': 0,
  'half-open-host': 0,
  'half-open-network': 0,
  'rate-host': 0,
  'proxy-header': 0,
} satisfies Record<QuotaRefusal | 'proxy-header', 0>);
/** Codes that deploy/prometheus/alerts.yaml asks for. */
const ALERTED_CODES = ['INTERNAL', 'AUTH_FAILED'] as const;

/**
 * The metrics of one server in Prometheus' text format (docs/OPERATIONS.md lists them). Events are counted as they come; gauges are read
 * when they are asked for. Labels come from fixed lists: no customer, no address, no session.
 */
export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #phases: Histogram<'phase'>;
  readonly #ended: Counter<'port' | 'reason' | 'code'>;
  readonly #refused: Counter<'reason'>;
  readonly #requests: Counter<'kind'>;
  #server: ObservedServer | undefined;

  /** `isReady` is asked at every scrape. */
  constructor(isReady: () => boolean) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    this.#phases = new Histogram({
      name: 'sallyport_phase_duration_seconds',
      help: 'How long the parts of a session took at the server.',
      labelNames: ['phase'],
      buckets: [...PHASE_BOUNDS_SECONDS],
      registers,
    });
    this.#ended = new Counter({
      name: 'sallyport_sessions_ended_total',
      help: 'Sessions, and connections that became none, by the port they ended at, the reason, and the error code if there was one.',
      labelNames: ['port', 'reason', 'code'],
      registers,
    });
    this.#refused = new Counter({
      name: 'sallyport_connections_refused_total',
      help: 'Connections turned away at the first port before a byte was read, by the quota that was full.',
      labelNames: ['reason'],
      registers,
    });
    this.#requests = new Counter({
      name: 'sallyport_session_requests_total',
      help: 'Transactions and queries of sessions that have ended.',
      labelNames: ['kind'],
      registers,
    });
    // There from the start: Prometheus sees no increase in a counter whose first value it sees is the first event.
    for (const reason of REFUSALS) this.#refused.inc({ reason }, 0);
    for (const code of ALERTED_CODES) this.#ended.inc({ port: 'second', reason: 'alertSent', code }, 0);
    for (const kind of ['transaction', 'query'] as const) this.#requests.inc({ kind }, 0);
    this.#addGauges();
    new Gauge({
      name: 'sallyport_ready',
      help: '1 while new customers are served, 0 while starting or draining or when the ledger does not take work.',
      registers,
      collect() {
        this.set(isReady() ? 1 : 0);
      },
    });
    new Gauge({
      name: 'sallyport_build_info',
      help: 'Version of Sallyport and of Node.js.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version: readVersion(), node: process.version }, 1);
  }

  /** Counts from now on what this server does. */
  attach(server: ObservedServer): void {
    this.#server = server;
    server.on('phase', ({ phase, durationMs }) => this.#observePhase(phase, durationMs));
    server.on('session-end', ({ port, reason, code, transactions, queries }) => {
      this.#ended.inc({ port, reason, code: code ?? '' });
      if (transactions > 0) this.#requests.inc({ kind: 'transaction' }, transactions);
      if (queries > 0) this.#requests.inc({ kind: 'query' }, queries);
    });
    server.on('refused', ({ reason }) => this.#refused.inc({ reason }));
    const { name, lanes } = server.kernel;
    new Gauge({
      name: 'sallyport_kernel_info',
      help: 'The build of the WebAssembly core that runs, and how many numbers one pass carries.',
      labelNames: ['kernel', 'lanes'],
      registers: [this.#registry],
    }).set({ kernel: name, lanes: String(lanes) }, 1);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Name and help of every metric, in the order of their names: for the table in the documentation. */
  describe(): { readonly name: string; readonly help: string }[] {
    return this.#registry
      .getMetricsAsArray()
      .map(({ name, help }) => ({ name, help }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #observePhase(phase: Phase, durationMs: number): void {
    this.#phases.observe({ phase }, durationMs / 1_000);
  }

  #addGauges(): void {
    const gauge = (name: string, help: string, read: (gauges: SecurityServerGauges) => number): void => {
      const current = (): SecurityServerGauges | undefined => this.#server?.gauges;
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          const gauges = current();
          if (gauges !== undefined) this.set(read(gauges));
        },
      });
    };
    const counter = (name: string, help: string, read: (gauges: SecurityServerGauges) => number): void => {
      const current = (): SecurityServerGauges | undefined => this.#server?.gauges;
      new Counter({
        name,
        help,
        registers: [this.#registry],
        collect() {
          const gauges = current();
          if (gauges === undefined) return;
          this.reset();
          this.inc(read(gauges));
        },
      });
    };
    gauge('sallyport_sessions_live', 'Sessions claimed and not ended.', ({ live }) => live);
    gauge(
      'sallyport_sessions_half_open',
      'Connections at the first port and leases nobody has claimed yet.',
      ({ halfOpen }) => halfOpen,
    );
    gauge('sallyport_crypto_queue_jobs', 'Jobs waiting for a crypto thread.', ({ crypto }) => crypto.queued);
    gauge(
      'sallyport_crypto_queue_jobs_max',
      'Jobs that may wait; one more is told BUSY.',
      ({ crypto }) => crypto.queueMax,
    );
    gauge('sallyport_crypto_batches_running', 'Batches at the crypto threads.', ({ crypto }) => crypto.running);
    gauge('sallyport_crypto_threads', 'Crypto threads.', ({ crypto }) => crypto.threads);
    counter('sallyport_crypto_batches_total', 'Batches sent to the crypto threads.', ({ crypto }) => crypto.batches);
    counter('sallyport_crypto_jobs_total', 'Jobs in those batches.', ({ crypto }) => crypto.jobs);
    gauge('sallyport_ledger_available', '1 while the ledger takes work.', ({ ledger }) => (ledger.available ? 1 : 0));
    gauge(
      'sallyport_ledger_pending_transactions',
      'Transactions waiting for the ledger or being committed.',
      ({ ledger }) => ledger.transactions,
    );
    gauge(
      'sallyport_ledger_pending_calls',
      'Look-ups waiting for the ledger or being answered.',
      ({ ledger }) => ledger.calls,
    );
    counter('sallyport_ledger_commits_total', 'Commits: batches made durable.', ({ ledger }) => ledger.commits);
    counter(
      'sallyport_ledger_transactions_total',
      'Transactions in those commits, refused ones and repetitions included.',
      ({ ledger }) => ledger.committed,
    );
    const current = (): ObservedServer | undefined => this.#server;
    new Gauge({
      name: 'sallyport_second_ports',
      help: 'Second ports by state; in shared mode, sessions that the shared ports may carry.',
      labelNames: ['state'],
      registers: [this.#registry],
      collect() {
        const server = current();
        if (server === undefined) return;
        const { free, leased, quarantined } = server.gauges.ports;
        this.set({ state: 'free' }, free);
        this.set({ state: 'leased' }, leased);
        this.set({ state: 'quarantined' }, quarantined);
      },
    });
    new Gauge({
      name: 'sallyport_sessions_half_open_max',
      help: 'The setting half-open-max.',
      registers: [this.#registry],
      collect() {
        const server = current();
        if (server !== undefined) this.set(server.configuration['half-open-max']);
      },
    });
  }
}
