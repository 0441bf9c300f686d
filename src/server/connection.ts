import type { Socket } from 'node:net';
import { resetSocket } from '../ports/reset-socket.ts';
import type { ConnectionEffect } from '../session/connection-events.ts';
import { Driver, type ReadingEffect } from '../session/driver.ts';
import type { Machine } from '../session/machine.ts';

type AnyEvent = { readonly kind: string };

/** What a connection does itself; every other effect of its machine goes to whoever made it. */
type OwnEffect<Deadline extends string> = ConnectionEffect<Deadline> | ReadingEffect;

export interface ConnectionOptions<State, Event extends AnyEvent, Effect extends AnyEvent, Deadline extends string> {
  readonly socket: Socket;
  readonly machine: Machine<State, Event, Effect | ConnectionEffect<Deadline>>;
  /** Length of each deadline the machine may set, in milliseconds. */
  readonly deadlinesMs: Readonly<Record<Deadline, number>>;
  readonly perform: (effect: Exclude<Effect, OwnEffect<Deadline>>) => void;
  /**
   * An invariant broke in this connection: its socket is destroyed. Called with what was thrown, for the log, as often as that happens.
   */
  readonly onBroken: (error: unknown) => void;
  /** The connection is gone and its machine, being broken, did not end: what belongs to it is given back here. Called once at most. */
  readonly abandon: () => void;
  /** Events by which the machine hears that its peer reads too slowly, and that it has caught up; for machines that write much. */
  readonly writeEvents?: { readonly blocked: Event; readonly drained: Event };
}

/** What may wait for our own work before it is sent: the socket's own limit is of this order, and a large answer fills it alone. */
const UNSENT_BYTES_MAX = 16_384;

const NOTHING = new Uint8Array(0);

/**
 * A socket with its state machine: bytes and timers in, effects out. It decides nothing about the protocol. What throws in here is a bug,
 * and ends this connection alone.
 */
export class Connection<State, Event extends AnyEvent, Effect extends AnyEvent, Deadline extends string> {
  readonly #options: ConnectionOptions<State, Event, Effect, Deadline>;
  readonly #driver: Driver<State, AnyEvent, AnyEvent>;
  /** Node keeps timers of one length in one list: setting and clearing one is O(1). */
  readonly #timers = new Map<Deadline, NodeJS.Timeout>();
  /** Said and not yet given to the socket. */
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #flushPlanned = false;
  #ended = false;

  constructor(options: ConnectionOptions<State, Event, Effect, Deadline>) {
    this.#options = options;
    // Inside, events and effects are only passed through; their types are the caller's.
    const machine = options.machine as unknown as Machine<State, AnyEvent, AnyEvent>;
    this.#driver = new Driver(machine, (effect) => this.#perform(effect as Effect | OwnEffect<Deadline>));
    const { socket, writeEvents } = options;
    socket.on('data', (bytes: Uint8Array) => this.#contain(() => this.#driver.receive(bytes)));
    socket.on('end', () => this.#contain(() => this.#driver.peerEnded()));
    // What a socket's error says is of no use to a machine: 'close' always follows.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#contain(() => this.#driver.dispatch({ kind: 'lost' }));
      this.#clearTimers();
      if (!this.#ended) options.abandon();
    });
    if (writeEvents !== undefined) socket.on('drain', () => this.dispatch(writeEvents.drained));
  }

  get socket(): Socket {
    return this.#options.socket;
  }

  dispatch(event: Event): void {
    this.#contain(() => this.#driver.dispatch(event));
  }

  #contain(step: () => void): void {
    try {
      step();
      this.#planFlush();
    } catch (error) {
      this.#options.onBroken(error);
      this.#options.socket.destroy();
    }
  }

  #perform(effect: Effect | OwnEffect<Deadline>): void {
    if (effect.kind === 'ended') this.#ended = true;
    const { socket } = this.#options;
    const own = effect as OwnEffect<Deadline>;
    switch (own.kind) {
      case 'send':
        this.#send(own.bytes);
        return;
      case 'end':
        this.#flush();
        socket.end();
        return;
      case 'close':
        this.#flush();
        // A write that the system did not take whole is followed by its end; mostly there is none.
        if (socket.writableLength === 0) socket.destroy();
        else socket.write(NOTHING, () => socket.destroy());
        return;
      case 'destroy':
        this.#clearTimers();
        socket.destroy();
        return;
      case 'reset':
        this.#clearTimers();
        resetSocket(socket);
        return;
      case 'setDeadline':
        this.#setDeadline(own.name);
        return;
      case 'clearDeadline':
        clearTimeout(this.#timers.get(own.name));
        this.#timers.delete(own.name);
        return;
      case 'pauseReading':
        socket.pause();
        return;
      case 'resumeReading':
        socket.resume();
        return;
      default:
        this.#options.perform(effect as Exclude<Effect, OwnEffect<Deadline>>);
    }
  }

  /**
   * Everything sent in one turn of the event loop leaves in one write; and what is said while the machine waits for our own work (keys,
   * identity, an answer that is owed), and not for its peer, leaves with what that work brings. A peer that waits for it is not kept waiting:
   * then the machine waits for the peer.
   */
  #send(bytes: Uint8Array): void {
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    if (this.#unsentBytes >= UNSENT_BYTES_MAX) this.#flush();
  }

  #planFlush(): void {
    if (this.#unsentBytes === 0 || this.#flushPlanned) return;
    this.#flushPlanned = true;
    process.nextTick(() => {
      this.#flushPlanned = false;
      if (!this.#driver.ownWork) this.#contain(() => this.#flush());
    });
  }

  #flush(): void {
    const unsent = this.#unsent;
    if (unsent.length === 0) return;
    this.#unsent = [];
    this.#unsentBytes = 0;
    const { socket, writeEvents } = this.#options;
    const taken = socket.write(unsent.length === 1 ? unsent[0]! : Buffer.concat(unsent));
    if (!taken && writeEvents !== undefined) this.#driver.dispatch(writeEvents.blocked);
  }

  #setDeadline(name: Deadline): void {
    clearTimeout(this.#timers.get(name));
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      this.#contain(() => this.#driver.dispatch({ kind: 'deadline', name } as AnyEvent));
    }, this.#options.deadlinesMs[name]);
    this.#timers.set(name, timer);
  }

  #clearTimers(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
