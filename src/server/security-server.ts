import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type Logger, pino } from 'pino';
import { hostKeyFingerprint } from '../crypto/identity.ts';
import { type KernelReport, loadCrypto } from '../crypto/index.ts';
import { SallyportError } from '../errors.ts';
import { LedgerClient, type LedgerEvent } from '../ledger/ledger-client.ts';
import { CryptoPool } from '../pool/crypto-pool.ts';
import { SecondPorts } from '../ports/second-ports.ts';
import { presentFacts } from '../session/method-steps.ts';
import { createSecondPort } from '../session/second-port.ts';
import { retryDemand } from './admission/puzzle-policy.ts';
import { Quotas } from './admission/quotas.ts';
import { RetryCookies } from './admission/retry-cookie.ts';
import { defaultConfiguration } from './configuration.ts';
import { idleListenersMax, readDescriptorLimit } from './descriptor-budget.ts';
import { FirstPortDesk } from './first-port-desk.ts';
import { IdentityDesk } from './identity-desk.ts';
import { LeaseRegistry } from './lease-registry.ts';
import { listenError } from './listen-error.ts';
import { isWithin, ProxiedSockets } from './proxied-sockets.ts';
import { applyReload, firstPortMachine, type Live, quotaLimits, type ReloadReport } from './reload.ts';
import { SecondPortDesk } from './second-port-desk.ts';
import type {
  EndedSession,
  SecurityServerEvents,
  SecurityServerGauges,
  SecurityServerOptions,
} from './security-server-interface.ts';
import type { Failure, Phase, StatedStep } from './session-report.ts';
import type { ServerConfiguration } from './settings.ts';
import { openStateDirectory, type StateDirectory } from './state-directory.ts';

/** What a customer beyond the quotas, or one that comes during a stop, is told to wait. */
const SHUTDOWN_RETRY_AFTER_MS = 2_000;

/**
 * The security server: listens on its first port, gives every customer a second one, and processes their transactions.
 *
 * `start` opens (or makes) the state directory and the ledger, warms the crypto pool up, and only then opens the first port.
 */
export class SecurityServer extends EventEmitter<SecurityServerEvents> {
  readonly #live: Live;
  /** The build of the WebAssembly core that runs here. */
  readonly kernel: KernelReport;
  readonly #log: Logger;
  readonly #ledger: LedgerClient;
  readonly #pool: CryptoPool;
  readonly #ports: SecondPorts;
  readonly #leases: LeaseRegistry;
  readonly #quotas: Quotas;
  readonly #firstPort: FirstPortDesk;
  readonly #secondPort: SecondPortDesk;
  readonly #proxied = new ProxiedSockets();
  readonly #listener: Server;
  readonly #ended: Record<string, number> = {};
  readonly #refused: Record<string, number> = {};
  #connections = 0;
  #draining = false;
  #stopped: Promise<void> | undefined;

  private constructor(
    configuration: ServerConfiguration,
    state: StateDirectory,
    log: Logger,
    parts: { ledger: LedgerClient; pool: CryptoPool; hashing: Awaited<ReturnType<typeof loadCrypto>> },
  ) {
    super();
    const live: Live = { configuration, state, firstPortMachine: firstPortMachine(configuration, state, state) };
    this.#live = live;
    this.kernel = parts.hashing.kernel;
    this.#log = log;
    this.#ledger = parts.ledger;
    this.#pool = parts.pool;
    this.#quotas = new Quotas(quotaLimits(configuration));
    this.#leases = new LeaseRegistry((session) => this.#leaseExpired(session));
    this.#ports = new SecondPorts({
      host: configuration.host,
      supply: configuration['second-ports'],
      mode: configuration['port-mode'],
      sharedLeasesMax: configuration['shared-sessions-max'],
      idleListenersMax: idleListenersMax(readDescriptorLimit()),
      onConnection: (socket, lease) => this.#secondPort.accept(socket, lease, this.#nextConnection()),
      onQuarantine: (port, reason) => log.warn({ event: 'port-quarantined', port, reason }),
      onListenerError: (port, error) => log.error({ event: 'listener-failed', port, reason: error.message }),
    });
    const report = {
      step: (step: StatedStep) => this.#step(step),
      ended: (ended: EndedSession) => this.#end(ended),
      took: (phase: Phase, sinceMs: number) => this.#took(phase, sinceMs),
      failed: (failure: Failure, error: unknown) => logFailure(log, failure, error),
    };
    // Desks ask for configuration and machine at each connection: a reload is for those that come after it.
    this.#firstPort = new FirstPortDesk({
      get configuration() {
        return live.configuration;
      },
      get machine() {
        return live.firstPortMachine;
      },
      cookies: new RetryCookies(Date.now()),
      ports: this.#ports,
      pool: parts.pool,
      leases: this.#leases,
      retryDemand: () => retryDemand({ queue: parts.pool.load, room: this.#quotas.load }),
      report,
    });
    this.#secondPort = new SecondPortDesk({
      get configuration() {
        return live.configuration;
      },
      machine: createSecondPort({ hashing: parts.hashing }),
      leases: this.#leases,
      pool: parts.pool,
      ledger: parts.ledger,
      identities: new IdentityDesk(
        parts.ledger,
        {
          get current() {
            return live.state.pepperVersion;
          },
          get byVersion() {
            return live.state.peppers;
          },
        },
        parts.hashing.hmacSha256,
      ),
      report,
    });
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /**
   * Starts a server. Errors: BAD_CONFIGURATION, BAD_FILE, LEDGER_TOO_NEW, LEDGER_CORRUPT, LEDGER_UNAVAILABLE, and UNREACHABLE when the
   * first port cannot be opened. Nothing listens unless it is fulfilled.
   */
  static async start(options: SecurityServerOptions = {}): Promise<SecurityServer> {
    const configuration = defaultConfiguration(options.configuration);
    const log = options.logger ?? pino({ level: 'silent' }, { write: () => undefined });
    const state = openStateDirectory(configuration.state, { create: true });
    // A successor's file was looked at by the server that it takes over from, and has been open since.
    const check = options.beforeServing === undefined ? configuration['ledger-check'] : 'tail';
    const openedMs = performance.now();
    const ledger = await LedgerClient.start({
      path: state.ledgerPath,
      check,
      privateKey: state.hostKey,
      processors: configuration.processors,
      onEvent: (event) => logLedgerEvent(log, event),
    });
    log.info({ event: 'ledger-opened', check, durationMs: Math.round(performance.now() - openedMs) });
    const undo: (() => Promise<unknown>)[] = [() => ledger.close()];
    try {
      const pool = await CryptoPool.start({
        threads: configuration.threads,
        quads: configuration.kernel === 'quads',
        queueMax: configuration['crypto-queue'],
        groups: configuration.groups,
        hostKey: state.hostKey,
        onWorkerFailure: (error) => log.error({ event: 'crypto-worker-failed', reason: error.message }),
      });
      undo.push(() => pool.close());
      const server = new SecurityServer(configuration, state, log, {
        ledger,
        pool,
        hashing: await loadCrypto({ quads: configuration.kernel === 'quads' }),
      });
      undo.push(() => server.#ports.close());
      const { name, lanes, rejected } = server.kernel;
      log.info({ event: 'kernel-chosen', kernel: name, lanes, rejected });
      await server.#ports.open();
      server.#ports.withhold((await options.beforeServing?.()) ?? []);
      await server.#listen(options.firstPortDescriptor);
      return server;
    } catch (error) {
      await Promise.allSettled(undo.map((each) => each()));
      throw error;
    }
  }

  /** In force now. */
  get configuration(): ServerConfiguration {
    return this.#live.configuration;
  }

  /** As opened last: at the start or the last reload. Its host key is the start's. */
  get state(): StateDirectory {
    return this.#live.state;
  }

  /** The first port's socket: what a process that takes over inherits. */
  get listener(): Server {
    return this.#listener;
  }

  /** Whether it takes no new customers any more. */
  get draining(): boolean {
    return this.#draining;
  }

  /** What each second port is now, in the order of the range: for a map of them. */
  get portMap(): ReturnType<SecondPorts['states']> {
    return this.#ports.states();
  }

  /** Second ports that cannot be leased for now, and why; `untilMs` by performance.now(). */
  get quarantine(): SecondPorts['quarantined'] {
    return this.#ports.quarantined;
  }

  /** Where the first port is. */
  get address(): { readonly host: string; readonly port: number } {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string')
      return { host: this.configuration.host, port: this.configuration['first-port'] };
    return { host: address.address, port: address.port };
  }

  /** Fingerprint of the host key, for a person to compare. */
  get fingerprint(): string {
    return hostKeyFingerprint(this.state.hostPublicKey);
  }

  /** The ledger of this server, for the program it runs in. */
  get ledger(): LedgerClient {
    return this.#ledger;
  }

  get gauges(): SecurityServerGauges {
    return {
      ports: this.#ports.gauges,
      halfOpen: this.#quotas.held,
      live: this.#leases.claimed,
      crypto: this.#pool.gauges,
      ledger: {
        ...this.#ledger.pending,
        commits: this.#ledger.progress.commits,
        committed: this.#ledger.progress.transactions,
        available: this.#ledger.available,
      },
      ended: { ...this.#ended },
      refused: { ...this.#refused },
    };
  }

  /**
   * Takes up what can change while running: settings (reload.ts), the announced next host key, peppers. Sessions that run are left alone.
   * Errors: those of openStateDirectory; then nothing changed.
   */
  reload(wanted: ServerConfiguration): ReloadReport {
    const report = applyReload(this.#live, wanted, openStateDirectory(this.#live.state.path));
    this.#quotas.configure(quotaLimits(this.configuration));
    this.#log.level = this.configuration['log-level'];
    this.#log.info({ event: 'reloaded', ...report });
    return report;
  }

  /**
   * Takes no new customer from now on, without closing the first port for whoever has inherited it, and closes the second ports that no
   * session holds. Gives those that sessions hold still. `stop` comes next.
   */
  retire(): readonly number[] {
    this.#draining = true;
    this.#listener.close();
    return this.#ports.retire();
  }

  /**
   * Stops: takes no new customer, lets those that came finish for `drainMs` (the setting drain-ms when left out), then tells the rest
   * SHUTDOWN, and closes everything. What was acknowledged is durable either way. May be called again: the first call counts.
   */
  stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(options.drainMs ?? this.configuration['drain-ms']);
    return this.#stopped;
  }

  async #stop(drainMs: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.#ports.retire();
    this.#log.info({ event: 'draining', live: this.#leases.claimed, halfOpen: this.#quotas.held, drainMs });
    const ended = this.#idle(closed);
    if (!(await within(ended, drainMs))) {
      this.#leases.expireAll();
      this.#firstPort.shutdown(SHUTDOWN_RETRY_AFTER_MS);
      this.#secondPort.shutdown(SHUTDOWN_RETRY_AFTER_MS);
      if (!(await within(ended, this.configuration['linger-timeout-ms']))) {
        this.#proxied.destroy();
        this.#firstPort.destroy();
        this.#secondPort.destroy();
        await ended;
      }
    }
    this.#leases.expireAll();
    await this.#ports.close();
    await this.#pool.close();
    await this.#ledger.close();
    this.#log.info({ event: 'stopped' });
  }

  /** In the order in which one can bring forth the next: no first-port connection, then no session, then no straggler at a second port. */
  async #idle(listenerClosed: Promise<unknown>): Promise<void> {
    await this.#firstPort.idle();
    await this.#leases.idle();
    await this.#secondPort.idle();
    await listenerClosed;
  }

  async #listen(descriptor: number | undefined): Promise<void> {
    const { host, 'first-port': port, backlog } = this.configuration;
    if (descriptor === undefined) this.#listener.listen({ host, port, backlog });
    else this.#listener.listen({ fd: descriptor });
    try {
      await once(this.#listener, 'listening');
    } catch (cause) {
      if (descriptor === undefined) throw listenError('the first port', { host, port }, cause, 'first');
      const { message } = cause as Error;
      throw new SallyportError('UNREACHABLE', `descriptor ${descriptor} is no first port: ${message}`, { cause });
    }
    this.#listener.on('error', (error) =>
      this.#log.error({ event: 'listener-failed', port: this.address.port, reason: error.message }),
    );
    this.#log.info({ event: 'listening', ...this.address, fingerprint: this.fingerprint });
  }

  #accept(socket: Socket): void {
    if (!isWithin(this.configuration['proxy-protocol-from'], socket.remoteAddress)) {
      this.#admit(socket, socket.remoteAddress);
      return;
    }
    this.#proxied.accept(socket, this.configuration['hello-timeout-ms'], {
      forward: (address) => this.#admit(socket, address),
      refuse: () => this.#refuse('proxy-header'),
    });
  }

  #refuse(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    tell(() => this.emit('refused', { reason }));
  }

  #admit(socket: Socket, address: string | undefined): void {
    const decision = this.#quotas.admit(address, performance.now());
    if (decision.ok && !this.#draining) {
      this.#firstPort.accept(socket, decision.place, this.#nextConnection(), address);
      return;
    }
    if (decision.ok) decision.place.release();
    this.#refuse(decision.ok ? 'draining' : decision.refusal);
    this.#firstPort.turnAway(
      socket,
      decision.ok
        ? { code: 'SHUTDOWN', retryAfterMs: SHUTDOWN_RETRY_AFTER_MS }
        : { code: 'BUSY', retryAfterMs: decision.retryAfterMs },
    );
  }

  #nextConnection(): number {
    this.#connections += 1;
    return this.#connections;
  }

  #step(step: StatedStep): void {
    if (this.listenerCount('step') === 0) return;
    tell(() => this.emit('step', { timeMs: Date.now(), ...step, detail: presentFacts(step.detail) }));
  }

  #took(phase: Phase, sinceMs: number): void {
    if (this.listenerCount('phase') === 0) return;
    tell(() => this.emit('phase', { phase, durationMs: performance.now() - sinceMs }));
  }

  #end(ended: EndedSession): void {
    const name = ended.code === undefined ? ended.reason : `${ended.reason} ${ended.code}`;
    this.#ended[name] = (this.#ended[name] ?? 0) + 1;
    this.#log.info({ event: 'session-end', ...ended });
    tell(() => this.emit('session-end', ended));
  }

  #leaseExpired(session: string): void {
    this.#end({
      connection: 0,
      port: 'second',
      address: undefined,
      session,
      customer: undefined,
      reason: 'expired',
      code: undefined,
      phase: 'leased',
      detail: undefined,
      transactions: 0,
      queries: 0,
      durationMs: this.configuration['lease-ms'],
    });
  }
}

/** What a listener throws is its own program's error, not the session's: it is thrown where no session hangs on it. */
function tell(emit: () => void): void {
  try {
    emit();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/** A broken invariant is a bug, whose place in the code matters; everything else says what it is by its message. */
function logFailure(log: Logger, event: Failure, error: unknown): void {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const code = error instanceof SallyportError ? error.code : undefined;
  log.error({ event, code, reason: message, ...(event === 'invariant-broken' ? { stack } : {}) });
}

function logLedgerEvent(log: Logger, event: LedgerEvent): void {
  const { kind, ...rest } = event;
  if (kind === 'thread-restarted') log.info({ event: `ledger-${kind}` });
  else log.error({ event: `ledger-${kind}`, ...rest });
}

/** Whether `work` was done within the time. */
async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
