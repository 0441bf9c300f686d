import type { Candidate } from '../../src/ports/port-lease.ts';
import type { Sky } from './weather.ts';
import type { World } from './world.ts';

/** What a driver at the end of a connection hears. */
export interface Ears {
  receive(bytes: Uint8Array): void;
  peerEnded(): void;
  /** Closed in both directions, or reset; the last thing heard. */
  lost(): void;
  /** More than the window is on its way, and: all of it has arrived. */
  blocked(): void;
  drained(): void;
}

/** Header, session_id, lease_token and claim_secret of a CUSTOMER_KEY (docs/PROTOCOL.md section 4.1). */
export const CLAIM_BEGINS_AT = 4 + 16 + 32;
export const CLAIM_ENDS_AT = CLAIM_BEGINS_AT + 32;
/** What a socket gives to its reader at most at once, as Node's sockets do. */
const READ_BYTES_MAX = 65_536;

/**
 * One end of a connection: what it says arrives at the other end in order, in pieces of any size, after any while; connections overtake each
 * other. What lies between two ends is what the sockets' buffers and the wire would hold.
 */
export class End implements Candidate {
  ears: Ears | undefined;
  other!: End;
  /** The most that ever waited to be heard here. */
  mostBytes = 0;
  /** What came first, as far as a claim reaches. */
  beginning: Uint8Array = new Uint8Array(0);
  readonly #link: Link;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #finComes = false;
  #heardFin = false;
  #saidFin = false;
  #paused = false;
  #arrivalPlanned = false;
  #toldBlocked = false;
  #closing = false;
  #gone = false;
  readonly #onClose: (() => void)[] = [];

  constructor(link: Link) {
    this.#link = link;
  }

  get alive(): boolean {
    return !this.#gone;
  }

  send(bytes: Uint8Array): void {
    if (this.#gone || this.#saidFin) return;
    // A socket copies: whatever is wiped after `send` has left already.
    for (const piece of this.#link.carry(Uint8Array.from(bytes), this)) this.other.#arrives(piece);
    if (!this.#toldBlocked && this.other.#inboxBytes > this.#link.sky.weather.windowBytes) {
      this.#toldBlocked = true;
      this.ears?.blocked();
    }
  }

  end(): void {
    if (this.#gone || this.#saidFin) return;
    this.#saidFin = true;
    this.other.#finComes = true;
    this.other.#planArrival();
    this.#closeWhenBothEnded();
  }

  /** Closes at once. With bytes unread the other end hears a reset, which may overtake what was said last. */
  destroy(): void {
    if (this.#gone) return;
    const unread = this.#inboxBytes > 0;
    const saidFin = this.#saidFin;
    this.#close();
    if (unread) this.#link.resetLater(this.other);
    else if (!saidFin) {
      this.other.#finComes = true;
      this.other.#planArrival();
    }
  }

  /** Closes in both directions as soon as what was said has left: the machine counts on it that nobody says anything to it any more. */
  close(): void {
    if (this.#gone) return;
    this.#closing = true;
    if (this.other.#inboxBytes <= this.#link.sky.weather.windowBytes)
      this.#link.world.after(0, () => this.#finishClose());
  }

  #finishClose(): void {
    if (this.#gone) return;
    this.destroy();
    this.ears?.lost();
  }

  resetAndDestroy(): void {
    if (this.#gone) return;
    this.#close();
    this.#link.resetLater(this.other);
    this.ears?.lost();
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose.push(listener);
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#planArrival();
  }

  /** A reset arrives: what was on its way to here is lost. */
  reset(): void {
    if (this.#gone) return;
    this.#close();
    this.ears?.lost();
  }

  /** Its process is dead: nobody hears anything here any more. */
  die(withoutWord: boolean): void {
    this.ears = undefined;
    if (this.#gone) return;
    this.#close();
    if (!withoutWord) this.#link.resetLater(this.other);
  }

  #close(): void {
    this.#gone = true;
    this.#inbox = [];
    this.#inboxBytes = 0;
    for (const listener of this.#onClose.splice(0)) listener();
  }

  #arrives(bytes: Uint8Array): void {
    if (this.#gone) {
      this.#link.resetLater(this.other);
      return;
    }
    if (this.beginning.length < CLAIM_ENDS_AT)
      this.beginning = Buffer.concat([this.beginning, bytes]).subarray(0, CLAIM_ENDS_AT);
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    if (this.#inboxBytes > this.mostBytes) this.mostBytes = this.#inboxBytes;
    this.#planArrival();
  }

  #planArrival(): void {
    if (this.#arrivalPlanned || this.#gone || this.#paused) return;
    if (this.#inboxBytes === 0 && (!this.#finComes || this.#heardFin)) return;
    this.#arrivalPlanned = true;
    this.#link.later(() => this.#deliver());
  }

  #deliver(): void {
    this.#arrivalPlanned = false;
    if (this.#gone || this.#paused) return;
    if (this.#inboxBytes > 0) {
      const bytes = this.#take(this.#link.partOf(this.#inboxBytes));
      this.ears?.receive(bytes);
      if (this.#inboxBytes === 0) this.other.#drained();
    }
    if (this.#gone || this.#paused) return;
    if (this.#inboxBytes > 0) this.#planArrival();
    else if (this.#finComes && !this.#heardFin) {
      this.#heardFin = true;
      this.ears?.peerEnded();
      this.#closeWhenBothEnded();
    }
  }

  #take(length: number): Uint8Array {
    const whole = this.#inbox.length === 1 ? this.#inbox[0]! : Buffer.concat(this.#inbox);
    this.#inbox = length < whole.length ? [whole.subarray(length)] : [];
    this.#inboxBytes -= length;
    return whole.subarray(0, length);
  }

  #drained(): void {
    if (this.#closing) this.#finishClose();
    if (!this.#toldBlocked || this.#gone) return;
    this.#toldBlocked = false;
    this.ears?.drained();
  }

  /** A socket that has said and heard FIN closes by itself. */
  #closeWhenBothEnded(): void {
    if (!this.#saidFin || !this.#heardFin || this.#gone) return;
    this.#link.world.after(0, () => this.reset());
  }
}

/** A connection between two ends, and what happens to it on the way. */
export class Link {
  readonly world: World;
  readonly sky: Sky;
  readonly ends: readonly [End, End];
  /** Told of what the first end writes first, as an eavesdropper is. */
  overheard: ((bytes: Uint8Array) => void) | undefined;
  #silent = false;
  #held: Uint8Array | undefined;

  constructor(world: World, sky: Sky) {
    this.world = world;
    this.sky = sky;
    this.ends = [new End(this), new End(this)];
    this.ends[0].other = this.ends[1];
    this.ends[1].other = this.ends[0];
  }

  later(run: () => void): void {
    if (this.#silent) return;
    this.world.after(delayOf(this.world, this.sky), run);
  }

  resetLater(end: End): void {
    this.later(() => end.reset());
  }

  partOf(length: number): number {
    const { random } = this.world;
    if (!random.oneIn(this.sky.weather.splitOneIn)) return Math.min(length, READ_BYTES_MAX);
    this.world.count('fault: partial write');
    return 1 + random.below(Math.min(length, random.oneIn(3) ? 5 : READ_BYTES_MAX));
  }

  /** What becomes of a write: itself, altered, twice, in the place of another, or nothing. */
  carry(bytes: Uint8Array, from: End): readonly Uint8Array[] {
    const { random } = this.world;
    const { resetOneIn, silenceOneIn, alterOneIn } = this.sky.weather;
    if (from === this.ends[0]) this.overheard?.(bytes);
    if (this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      return [bytes, held];
    }
    if (random.oneIn(resetOneIn)) {
      this.world.count('fault: connection reset');
      this.resetLater(from);
      this.resetLater(from.other);
    } else if (random.oneIn(silenceOneIn)) {
      this.world.count('fault: connection silent');
      this.#silent = true;
    } else if (random.oneIn(alterOneIn)) return this.#alter(bytes);
    return [bytes];
  }

  #alter(bytes: Uint8Array): readonly Uint8Array[] {
    const { random } = this.world;
    const how = random.pick(['bit flipped', 'write repeated', 'writes swapped', 'write withheld'] as const);
    this.world.count(`fault: ${how}`);
    switch (how) {
      case 'bit flipped':
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
        return [bytes];
      case 'write repeated':
        return [bytes, Uint8Array.from(bytes)];
      case 'writes swapped':
        this.#held = bytes;
        return [];
      case 'write withheld':
        return [];
    }
  }
}

/** How long one thing takes from one machine to another. */
export function delayOf(world: World, sky: Sky): number {
  const { random } = world;
  const { latencyMs, jitterMs, lateOneIn, lateMs } = sky.weather;
  const delay = latencyMs + random.between(0, jitterMs);
  if (!random.oneIn(lateOneIn)) return delay;
  world.count('fault: late segment');
  return delay + random.between(0, lateMs);
}
