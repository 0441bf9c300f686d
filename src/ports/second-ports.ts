import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { assert, SallyportError } from '../errors.ts';
import { PortLease } from './port-lease.ts';
import { type PortGauges, PortTable, type Quarantine, type SlotState } from './port-table.ts';
import { resetSocket } from './reset-socket.ts';

/** Where second ports come from: a range of numbers, or `count` ports that the system chooses. */
export type PortSupply =
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'system'; readonly count: number };

export interface SecondPortsOptions {
  readonly host: string;
  readonly supply: PortSupply;
  /**
   * `exclusive`: a port belongs to one session at a time. `shared`: the supply's ports serve any number of sessions, told apart by
   * session_id, for containers and firewalls that cannot open a range.
   */
  readonly mode: 'exclusive' | 'shared';
  /** Leases that may exist at once in shared mode; in exclusive mode the supply is the limit. */
  readonly sharedLeasesMax: number;
  /**
   * Listeners of ports not leased that stay open; beyond it the listener of a released port is closed, and its next lease opens it again.
   * Each holds a descriptor, which sessions may need more.
   */
  readonly idleListenersMax: number;
  /** A socket was accepted at a second port. `lease` is the one it belongs to, undefined in shared mode. */
  readonly onConnection: (socket: Socket, lease: PortLease | undefined) => void;
  /** A port was put in quarantine. */
  readonly onQuarantine?: (port: number, reason: string) => void;
  /** A listener failed to accept; it stays open. */
  readonly onListenerError?: (port: number, error: Error) => void;
}

/** A port that another process holds is tried again after this; long enough that a busy range costs next to nothing. */
const QUARANTINE_MS = 60_000;
/** Idle listeners closed at once when the process has no descriptor left: room for this lease and the customers about to come. */
const IDLE_CLOSED_MAX = 16;
/** Strangers that may wait at the ports of shared mode besides one socket for every session: a few megabytes. */
export const SHARED_STRANGERS_MAX = 1_024;
/** Ports tried for one lease when others hold them; beyond it the range is as good as taken. */
const BIND_TRIES_MAX = 8;
/** What a customer is told to wait when no port is free: sessions end within seconds. */
const BUSY_RETRY_AFTER_MS = 1_000;
/** One customer and three strangers may knock at once; the shared mode's ports serve everybody. */
const EXCLUSIVE_BACKLOG = 8;
const SHARED_BACKLOG = 4_096;

interface Slot {
  /** Undefined in a system supply while nothing listens. */
  port: number | undefined;
  /** Open, or being opened. */
  server: Server | undefined;
  listening: boolean;
  lease: PortLease | undefined;
}

type Listening = 'listening' | 'quarantined' | 'outOfDescriptors';

/**
 * The second ports: leases over listeners. A listener is opened when its port is leased for the first time and stays open (3 to 5 kB
 * and one descriptor each) as long as there are not too many idle ones, so that a lease costs no system call afterwards; a connection to a
 * port that is not leased is closed at once.
 */
export class SecondPorts {
  readonly #options: SecondPortsOptions;
  readonly #table: PortTable;
  readonly #slots: Slot[];
  /** Slots that listen and are not leased, longest idle first. */
  readonly #idle = new Set<Slot>();
  #idleListenersMax: number;
  #sharedLeases = 0;
  #sharedSockets = 0;
  #sharedNext = 0;
  #closed = false;

  constructor(options: SecondPortsOptions, random?: (bound: number) => number) {
    this.#options = options;
    this.#idleListenersMax = options.idleListenersMax;
    const { supply } = options;
    const count = supply.kind === 'system' ? supply.count : supply.last - supply.first + 1;
    this.#table = new PortTable(count, random);
    this.#slots = Array.from({ length: count }, (_, index) => ({
      port: supply.kind === 'range' ? supply.first + index : undefined,
      server: undefined,
      listening: false,
      lease: undefined,
    }));
  }

  /** In exclusive mode, of ports; in shared mode `leased` counts sessions and `slots` is their limit. */
  get gauges(): PortGauges {
    if (this.#options.mode === 'exclusive') return this.#table.gauges;
    const { quarantined } = this.#table.gauges;
    return {
      slots: this.#options.sharedLeasesMax,
      free: this.#options.sharedLeasesMax - this.#sharedLeases,
      leased: this.#sharedLeases,
      quarantined,
    };
  }

  get quarantined(): readonly (Quarantine & { readonly port: number | undefined })[] {
    return this.#table.quarantined.map((each) => ({ ...each, port: this.#slots[each.slot]!.port }));
  }

  /** Listeners open now. */
  get listeners(): number {
    return this.#slots.reduce((count, slot) => count + (slot.listening ? 1 : 0), 0);
  }

  states(): SlotState[] {
    return this.#slots.map((_, slot) => this.#table.state(slot));
  }

  /** Opens the listeners of shared mode; in exclusive mode each is opened by its first lease. UNREACHABLE when none could be opened. */
  async open(): Promise<void> {
    if (this.#options.mode === 'exclusive') return;
    for (let count = 0; count < this.#slots.length; count++) {
      const listening = await this.#listen(this.#table.lease(performance.now())!, SHARED_BACKLOG);
      if (listening === 'outOfDescriptors') throw busy('no descriptor left for a shared second port');
    }
    if (this.listeners === 0) {
      const reasons = new Set(this.quarantined.map(({ port, reason }) => `${port}: ${reason}`));
      throw new SallyportError('UNREACHABLE', `no shared second port could be opened (${[...reasons].join(', ')})`);
    }
  }

  /**
   * Holds a port that listens. Errors: BUSY when none is free or the process has no descriptor left, SHUTDOWN after close, INTERNAL when
   * the system refuses for a reason that trying another port does not mend.
   */
  async lease(): Promise<PortLease> {
    if (this.#options.mode === 'shared') return this.#leaseShared();
    for (let tries = 0; tries < BIND_TRIES_MAX; tries++) {
      if (this.#closed) throw shutdown();
      const index = this.#table.lease(performance.now());
      if (index === undefined) throw busy('every second port is leased');
      const slot = this.#slots[index]!;
      this.#idle.delete(slot);
      if (!slot.listening) {
        const listening = await this.#listen(index, EXCLUSIVE_BACKLOG);
        if (listening === 'outOfDescriptors' && !this.#closeIdle(IDLE_CLOSED_MAX))
          throw busy('no descriptor left for a second port');
        if (listening !== 'listening') continue;
      }
      if (this.#closed) {
        this.#table.release(index);
        throw shutdown();
      }
      return this.#hold(index);
    }
    throw busy(`${BIND_TRIES_MAX} second ports in a row could not be bound`);
  }

  /** Passes these ports over for a while, because the server before this one still holds them. To be called before the first lease. */
  withhold(ports: readonly number[]): void {
    const { supply } = this.#options;
    if (supply.kind !== 'range' || ports.length === 0) return;
    const nowMs = performance.now();
    const slots = new Set(ports.map((port) => port - supply.first));
    this.#table.withhold(slots, 'held by the server before', nowMs, nowMs + QUARANTINE_MS);
  }

  /** Closes every listener that no session holds, and from now on each that is released. Gives the ports that are held still. */
  retire(): number[] {
    this.#idleListenersMax = 0;
    this.#closeIdle(this.#idle.size);
    return this.#slots.flatMap(({ lease, port }) => (lease === undefined || port === undefined ? [] : [port]));
  }

  /** Closes every listener; leases that are out may still be released. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle.clear();
    await Promise.all(this.#slots.map((slot) => this.#closeListener(slot)));
  }

  #hold(index: number): PortLease {
    const slot = this.#slots[index]!;
    const lease = new PortLease(slot.port!, () => {
      slot.lease = undefined;
      this.#table.release(index);
      // The one released last would be leased last: of all idle listeners it is the one to spare.
      if (this.#idle.size >= this.#idleListenersMax) void this.#closeListener(slot);
      else if (slot.listening) this.#idle.add(slot);
    });
    slot.lease = lease;
    return lease;
  }

  /** Closes up to `count` idle listeners; whether there was any. */
  #closeIdle(count: number): boolean {
    const closing = count === 0 ? [] : [...this.#idle].slice(-count);
    for (const slot of closing) {
      this.#idle.delete(slot);
      void this.#closeListener(slot);
    }
    return closing.length > 0;
  }

  /** Stops listening at once; fulfilled when the sockets accepted there are closed too. */
  async #closeListener(slot: Slot): Promise<void> {
    const { server } = slot;
    slot.server = undefined;
    slot.listening = false;
    if (this.#options.supply.kind === 'system') slot.port = undefined;
    if (server?.listening) await new Promise((resolve) => server.close(resolve));
  }

  /** The listening ports in turn. */
  #leaseShared(): PortLease {
    if (this.#closed) throw shutdown();
    if (this.#sharedLeases >= this.#options.sharedLeasesMax) throw busy('every session of the shared ports is leased');
    const listening = this.#slots.filter((slot) => slot.listening);
    const slot = listening[this.#sharedNext % listening.length];
    if (slot === undefined) throw busy('no shared port could be bound');
    this.#sharedNext += 1;
    this.#sharedLeases += 1;
    return new PortLease(slot.port!, () => {
      this.#sharedLeases -= 1;
    });
  }

  /** Opens the listener of a leased slot. Without success the slot is not leased any more: in quarantine or given back, or this throws. */
  #listen(index: number, backlog: number): Promise<Listening> {
    const slot = this.#slots[index]!;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(slot, socket));
    slot.server = server;
    return new Promise((resolve, reject) => {
      const refused = (error: NodeJS.ErrnoException): void => {
        slot.server = undefined;
        if (error.code === 'EADDRINUSE' || error.code === 'EACCES') {
          this.#table.quarantine(index, error.code, performance.now() + QUARANTINE_MS);
          this.#options.onQuarantine?.(slot.port ?? 0, error.code);
          resolve('quarantined');
          return;
        }
        this.#table.release(index);
        if (error.code === 'EMFILE' || error.code === 'ENFILE' || error.code === 'ENOBUFS') {
          resolve('outOfDescriptors');
          return;
        }
        const where = `second port ${slot.port ?? 'of the system'} on ${this.#options.host}`;
        reject(new SallyportError('INTERNAL', `${where}: ${error.message}`, { cause: error }));
      };
      server.once('error', refused);
      server.listen({ host: this.#options.host, port: slot.port ?? 0, backlog }, () => {
        const address = server.address();
        assert(address !== null && typeof address === 'object', 'a TCP listener has a port');
        server.off('error', refused);
        server.on('error', (error) => this.#options.onListenerError?.(address.port, error));
        if (this.#closed) {
          // close() was called while this port was being opened, and had nothing to close yet.
          server.close(() => resolve('listening'));
          return;
        }
        slot.port = address.port;
        slot.listening = true;
        resolve('listening');
      });
    });
  }

  #accept(slot: Slot, socket: Socket): void {
    if (this.#options.mode === 'shared') {
      this.#acceptShared(socket);
      return;
    }
    const { lease } = slot;
    if (lease === undefined) {
      turnAway(socket);
      return;
    }
    lease.admit(socket, () => resetSocket(socket));
    this.#options.onConnection(socket, lease);
  }

  #acceptShared(socket: Socket): void {
    if (this.#sharedLeases === 0 || this.#sharedSockets >= this.#sharedLeases + SHARED_STRANGERS_MAX) {
      turnAway(socket);
      return;
    }
    this.#sharedSockets += 1;
    socket.once('close', () => {
      this.#sharedSockets -= 1;
    });
    this.#options.onConnection(socket, undefined);
  }
}

function turnAway(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  resetSocket(socket);
}

function busy(message: string): SallyportError {
  return new SallyportError('BUSY', message, { retryAfterMs: BUSY_RETRY_AFTER_MS });
}

function shutdown(): SallyportError {
  return new SallyportError('SHUTDOWN', 'the second ports are closed', { retryAfterMs: BUSY_RETRY_AFTER_MS });
}
