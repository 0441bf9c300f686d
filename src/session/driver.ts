import { FrameReader } from '../wire/frame-reader.ts';
import type { ConnectionEvent } from './connection-events.ts';
import type { Machine } from './machine.ts';

/** What the driver itself asks of the socket, besides the machine's effects. */
export type ReadingEffect = { readonly kind: 'pauseReading' } | { readonly kind: 'resumeReading' };

/**
 * Holds a machine's state, turns received bytes into its events, and gives every effect to whoever holds the socket. It reads frames out
 * only while the machine expects them, and asks for a pause when more comes while it does not: so what a peer sends ahead waits in the
 * socket, and no machine needs a buffer. Events that arise while effects are carried out are taken afterwards, in order.
 */
export class Driver<State, Event extends { readonly kind: string }, Effect> {
  readonly #machine: Machine<State, Event | ConnectionEvent<never>, Effect>;
  readonly #perform: (effect: Effect | ReadingEffect) => void;
  readonly #events: (Event | ConnectionEvent<never>)[] = [];
  #state: State;
  #reader = new FrameReader();
  #peerEnded = false;
  #faultTold = false;
  #reading = true;
  #running = false;

  constructor(
    machine: Machine<State, Event | ConnectionEvent<never>, Effect>,
    perform: (effect: Effect | ReadingEffect) => void,
  ) {
    this.#machine = machine;
    this.#perform = perform;
    this.#state = machine.initial;
  }

  /** For questions about the state; only the driver steps it. */
  get state(): State {
    return this.#state;
  }

  /** Whether the machine waits for something of our own, and not for its peer: what it has said meanwhile can wait for that too. */
  get ownWork(): boolean {
    const { kind } = this.#machine.expects(this.#state);
    return kind === 'pause' || kind === 'nothing';
  }

  get #paused(): boolean {
    return this.#machine.expects(this.#state).kind === 'pause';
  }

  /** The connection begins anew: what was left of another one's bytes is forgotten. For a machine that lives on two, one after the other. */
  connectionChanged(): void {
    this.#reader = new FrameReader();
    this.#peerEnded = false;
    this.#faultTold = false;
    this.#reading = true;
  }

  /** Bytes from the socket; they must not be changed afterwards. */
  receive(bytes: Uint8Array): void {
    const unwanted = this.#paused;
    this.#reader.push(bytes);
    this.#run();
    // A pause is asked for when bytes come that nobody wants yet, not before: most peers send nothing more, and a pause is two system calls.
    if (unwanted && this.#reading && this.#paused) {
      this.#reading = false;
      this.#perform({ kind: 'pauseReading' });
    }
  }

  /** The peer's FIN. The machine hears it after the frames that came before it. */
  peerEnded(): void {
    this.#peerEnded = true;
    this.#run();
  }

  dispatch(event: Event): void {
    this.#events.push(event);
    this.#run();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (;;) {
        const event = this.#events.shift() ?? this.#nextInput();
        if (event === undefined) break;
        const { state, effects } = this.#machine.step(this.#state, event);
        this.#state = state;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#running = false;
    }
    if (!this.#reading && !this.#paused) {
      this.#reading = true;
      this.#perform({ kind: 'resumeReading' });
    }
  }

  #nextInput(): ConnectionEvent<never> | undefined {
    const expected = this.#machine.expects(this.#state);
    switch (expected.kind) {
      case 'ignore':
        this.#reader = new FrameReader();
        return this.#nextEnd();
      case 'pause':
        return this.#reader.overflown ? this.#fault({ kind: 'unexpectedBytes' }) : undefined;
      case 'nothing':
        return this.#reader.pendingBytes > 0 ? this.#fault({ kind: 'unexpectedBytes' }) : this.#nextEnd();
      case 'frames': {
        const reading = this.#reader.next(expected.types);
        if (reading.kind === 'frame') return reading;
        if (reading.kind === 'incomplete') return this.#nextEnd();
        return this.#fault({ kind: 'frameRefused', code: reading.code, what: reading.what });
      }
    }
  }

  /** Told once. */
  #nextEnd(): ConnectionEvent<never> | undefined {
    if (!this.#peerEnded) return undefined;
    this.#peerEnded = false;
    return { kind: 'end' };
  }

  /** Told once: a machine that goes on after it would be asked again for ever. */
  #fault(event: ConnectionEvent<never>): ConnectionEvent<never> | undefined {
    if (this.#faultTold) return undefined;
    this.#faultTold = true;
    return event;
  }
}
