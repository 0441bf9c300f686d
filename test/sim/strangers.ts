import type { End } from './link.ts';
import type { World } from './world.ts';

/** What somebody on the path has seen of one session. */
export interface Overheard {
  readonly port: number;
  /** The beginning of the customer's flight: CUSTOMER_KEY, mostly whole. */
  readonly flight: Uint8Array;
}

const CUSTOMER_KEY_HEADER = Uint8Array.of(0x04, 0x01, 0x01, 0x72);
const FLIGHTS_KEPT = 8;

/** Sockets of somebody else: crowds at leased ports, wrong claims, flights that were overheard, rubbish, silence. */
export class Strangers {
  readonly #world: World;
  readonly #ports: () => readonly number[];
  readonly #connect: (port: number | 'first', connected: (end: End) => void) => void;
  readonly #flights: Overheard[] = [];

  constructor(
    world: World,
    ports: () => readonly number[],
    connect: (port: number | 'first', connected: (end: End) => void) => void,
  ) {
    this.#world = world;
    this.#ports = ports;
    this.#connect = connect;
  }

  overhears(flight: Overheard): void {
    this.#flights.push(flight);
    if (this.#flights.length > FLIGHTS_KEPT) this.#flights.shift();
  }

  /** One of the things that strangers do. */
  knock(): void {
    const { random } = this.#world;
    const ports = this.#ports();
    const overheard = this.#flights.length > 0 && random.oneIn(3) ? random.pick(this.#flights) : undefined;
    if (overheard !== undefined) {
      this.#world.count('fault: flight replayed');
      this.#visit(overheard.port, overheard.flight);
      return;
    }
    if (ports.length === 0 || random.oneIn(6)) {
      this.#world.count('fault: stranger at the first port');
      this.#visit('first', random.bytes(random.below(300)));
      return;
    }
    const port = random.pick(ports);
    // More than the port has places, so that somebody loses one.
    const crowd = 1 + random.below(7);
    for (let count = 0; count < crowd; count++) {
      this.#world.count('fault: stranger at a second port');
      this.#visit(port, this.#claim(port));
    }
  }

  #claim(port: number): Uint8Array {
    const { random } = this.#world;
    switch (random.below(4)) {
      case 0:
        return new Uint8Array(0);
      case 1:
        return random.bytes(1 + random.below(500));
      default: {
        const claim = Uint8Array.of(...CUSTOMER_KEY_HEADER, ...random.bytes(80), 0x01, 0x00, ...random.bytes(256 + 32));
        // The right session and token, seen at the same port; the claim's secret is not to be seen there.
        const seen = this.#flights.find((flight) => flight.port === port && flight.flight.length >= 52);
        if (seen !== undefined) claim.set(seen.flight.subarray(4, 52), 4);
        return claim;
      }
    }
  }

  #visit(port: number | 'first', says: Uint8Array): void {
    const { random } = this.#world;
    this.#connect(port, (end) => {
      const ignore = (): void => undefined;
      end.ears = { receive: ignore, peerEnded: () => end.destroy(), lost: ignore, blocked: ignore, drained: ignore };
      if (says.length > 0) end.send(says);
      // Some go, some stay until they are thrown out.
      if (random.oneIn(2)) this.#world.after(random.between(0, 4_000), () => end.destroy());
    });
  }
}
