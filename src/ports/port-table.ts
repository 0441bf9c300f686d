import { randomInt } from 'node:crypto';
import { assert } from '../errors.ts';

/** Occupancy of the table. The three counts add up to `slots`. */
export interface PortGauges {
  readonly slots: number;
  readonly free: number;
  readonly leased: number;
  readonly quarantined: number;
}

/** A slot that cannot be leased for now, and why. */
export interface Quarantine {
  readonly slot: number;
  readonly reason: string;
  readonly untilMs: number;
}

export type SlotState = 'free' | 'leased' | 'quarantined';

const FREE = 0;
const LEASED = 1;
const QUARANTINED = 2;
const STATE_NAMES = ['free', 'leased', 'quarantined'] as const;

/**
 * Which second ports are free, leased or quarantined. Pure: no sockets, no clock of its own; ports are slots 0 to slots - 1.
 *
 * A shuffled ring, as in coturn's port allocator: a lease takes the slot at the head, a release puts it at the tail. So the next port is
 * the one idle for longest (late packets of its last session have died out), its number cannot be guessed from the one before, and a
 * lease costs the same at any occupancy.
 */
export class PortTable {
  readonly #ring: Int32Array;
  readonly #states: Uint8Array;
  #head = 0;
  #free: number;
  #leased = 0;
  /** In order of `untilMs`, because every quarantine lasts equally long from a clock that does not run backwards. */
  readonly #quarantine: Quarantine[] = [];

  /** `random(n)` gives an integer from 0 to n - 1; it orders the ring once. */
  constructor(slots: number, random: (bound: number) => number = randomInt) {
    assert(Number.isInteger(slots) && slots > 0, 'a port table has at least one slot');
    this.#ring = Int32Array.from({ length: slots }, (_, slot) => slot);
    this.#states = new Uint8Array(slots);
    this.#free = slots;
    for (let last = slots - 1; last > 0; last--) {
      const other = random(last + 1);
      const slot = this.#ring[last]!;
      this.#ring[last] = this.#ring[other]!;
      this.#ring[other] = slot;
    }
  }

  /** The free slot that was idle for longest, now leased; undefined when none is free. Quarantines that are over come back first. */
  lease(nowMs: number): number | undefined {
    this.#endQuarantines(nowMs);
    if (this.#free === 0) return undefined;
    const slot = this.#ring[this.#head]!;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#free -= 1;
    this.#leased += 1;
    assert(this.#states[slot] === FREE, 'the ring holds free slots only');
    this.#states[slot] = LEASED;
    return slot;
  }

  /** Gives a leased slot back, to the tail of the ring. */
  release(slot: number): void {
    assert(this.#states[slot] === LEASED, 'only a leased slot is released');
    this.#leased -= 1;
    this.#putBack(slot);
  }

  /** Takes a leased slot out of use until `untilMs`: some other process holds its port, or it may not be bound. */
  quarantine(slot: number, reason: string, untilMs: number): void {
    assert(this.#states[slot] === LEASED, 'only a leased slot is quarantined');
    this.#states[slot] = QUARANTINED;
    this.#leased -= 1;
    this.#quarantine.push({ slot, reason, untilMs });
  }

  /** Takes those of `slots` that are free out of use until `untilMs`. The order of the others stays. O(slots of the table). */
  withhold(slots: ReadonlySet<number>, reason: string, nowMs: number, untilMs: number): void {
    const kept: number[] = [];
    for (let slot = this.lease(nowMs); slot !== undefined; slot = this.lease(nowMs)) {
      if (slots.has(slot)) this.quarantine(slot, reason, untilMs);
      else kept.push(slot);
    }
    for (const slot of kept) this.release(slot);
  }

  state(slot: number): SlotState {
    return STATE_NAMES[this.#states[slot]!]!;
  }

  get gauges(): PortGauges {
    return { slots: this.#ring.length, free: this.#free, leased: this.#leased, quarantined: this.#quarantine.length };
  }

  /** What is in quarantine, the longest first. */
  get quarantined(): readonly Quarantine[] {
    return this.#quarantine;
  }

  #endQuarantines(nowMs: number): void {
    while (this.#quarantine.length > 0 && this.#quarantine[0]!.untilMs <= nowMs)
      this.#putBack(this.#quarantine.shift()!.slot);
  }

  #putBack(slot: number): void {
    this.#states[slot] = FREE;
    this.#ring[(this.#head + this.#free) % this.#ring.length] = slot;
    this.#free += 1;
  }
}
