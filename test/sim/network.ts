import type { SeededRandom } from './random.ts';

/** What a driver at the end of a connection hears. */
export interface Ears {
  receive(bytes: Uint8Array): void;
  peerEnded(): void;
  lost(): void;
}

type Delivery =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'fin' }
  | { readonly kind: 'reset' };

/** One end of a connection: what it says arrives at the other end, in order, in pieces of any size, at any later time. */
export class End {
  ears: Ears | undefined;
  other!: End;
  readonly #network: Network;
  #inbox: Delivery[] = [];
  #paused = false;
  #scheduled = false;
  #saidFin = false;
  #heardFin = false;
  #gone = false;

  constructor(network: Network) {
    this.#network = network;
  }

  send(bytes: Uint8Array): void {
    if (this.#gone || this.#saidFin) return;
    // A socket copies: whatever is wiped after `send` has left already.
    for (const piece of this.#network.alter(Uint8Array.from(bytes), this))
      this.other.#arrive({ kind: 'bytes', bytes: piece });
  }

  end(): void {
    if (this.#gone || this.#saidFin) return;
    this.#saidFin = true;
    this.other.#arrive({ kind: 'fin' });
    this.#closeWhenBothEnded();
  }

  /** Closes at once; the other end hears a FIN or a reset, as chance has it with unread bytes. */
  destroy(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#inbox = [];
    if (!this.#saidFin) this.other.#arrive({ kind: this.#network.random.oneIn(3) ? 'reset' : 'fin' });
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    this.#schedule();
  }

  /** The wire breaks: both ends hear of it some time. */
  cut(): void {
    for (const end of [this, this.other]) end.#arrive({ kind: 'reset' });
  }

  /** FIN behind what was sent, and nothing more is heard. */
  close(): void {
    this.end();
    this.#network.later(() => {
      if (this.#gone) return;
      this.#gone = true;
      this.ears?.lost();
    });
  }

  get alive(): boolean {
    return !this.#gone;
  }

  #arrive(delivery: Delivery): void {
    if (this.#gone) return;
    if (delivery.kind === 'reset') this.#inbox = [delivery];
    else this.#inbox.push(delivery);
    this.#schedule();
  }

  #schedule(): void {
    const next = this.#inbox[0];
    if (this.#scheduled || this.#gone || next === undefined || (this.#paused && next.kind !== 'reset')) return;
    this.#scheduled = true;
    this.#network.later(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const next = this.#inbox[0];
    if (this.#gone || next === undefined || (this.#paused && next.kind !== 'reset')) return;
    switch (next.kind) {
      case 'bytes': {
        const length = this.#network.split(next.bytes.length);
        const rest = next.bytes.subarray(length);
        if (rest.length > 0) this.#inbox[0] = { kind: 'bytes', bytes: rest };
        else this.#inbox.shift();
        this.ears?.receive(next.bytes.subarray(0, length));
        break;
      }
      case 'fin':
        this.#inbox.shift();
        this.#heardFin = true;
        this.ears?.peerEnded();
        this.#closeWhenBothEnded();
        break;
      case 'reset':
        this.#gone = true;
        this.ears?.lost();
        break;
    }
    this.#schedule();
  }

  /** A socket that has said and heard FIN closes by itself. */
  #closeWhenBothEnded(): void {
    if (!this.#saidFin || !this.#heardFin || this.#gone) return;
    this.#network.later(() => {
      if (this.#gone) return;
      this.#gone = true;
      this.ears?.lost();
    });
  }
}

export interface NetworkFaults {
  /** What becomes of a piece that is sent: itself, altered, twice, or nothing. */
  alter(bytes: Uint8Array, from: End): readonly Uint8Array[];
}

/** Tasks in an order chosen by the seed. */
export class Network {
  readonly random: SeededRandom;
  readonly #faults: NetworkFaults;
  readonly #tasks: (() => void)[] = [];

  constructor(random: SeededRandom, faults: NetworkFaults) {
    this.random = random;
    this.#faults = faults;
  }

  connect(): readonly [End, End] {
    const ends = [new End(this), new End(this)] as const;
    ends[0].other = ends[1];
    ends[1].other = ends[0];
    return ends;
  }

  later(task: () => void): void {
    this.#tasks.push(task);
  }

  /** As a worker or a disk does: after a while of any length. */
  muchLater(task: () => void): void {
    const wait = (left: number) => (): void => {
      if (left === 0) task();
      else this.later(wait(left - 1));
    };
    this.later(wait(this.random.below(12)));
  }

  /** Does one task; false when there is none. */
  advance(): boolean {
    if (this.#tasks.length === 0) return false;
    const [task] = this.#tasks.splice(this.random.below(this.#tasks.length), 1);
    task!();
    return true;
  }

  alter(bytes: Uint8Array, from: End): readonly Uint8Array[] {
    return this.#faults.alter(bytes, from);
  }

  /** Mostly whole, often a few bytes, sometimes one. */
  split(length: number): number {
    if (this.random.oneIn(2)) return length;
    return 1 + this.random.below(this.random.oneIn(3) ? Math.min(length, 5) : length);
  }
}
