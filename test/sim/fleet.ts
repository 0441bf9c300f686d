import { createHash } from 'node:crypto';
import type { Crypto } from '../../src/crypto/index.ts';
import type { SuitePolicy } from '../../src/crypto/suite.ts';
import { SallyportError } from '../../src/errors.ts';
import { digestIdentity, type PepperRing } from '../../src/ledger/identity.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import type { Auth } from '../../src/wire/auth.ts';
import { Auditor, keyOf } from './auditor.ts';
import { auditBooks } from './books.ts';
import type { Roads } from './customer-session.ts';
import { SimulatedDisk } from './disk.ts';
import { ledgerOver, WallClock } from './ledger-host.ts';
import { delayOf, type End, Link } from './link.ts';
import { accountOf, customerIdOf, makeOrders } from './orders.ts';
import { type CustomerBugs, Payer } from './payer.ts';
import { SeededRandom } from './random.ts';
import { ServerLives } from './server-lives.ts';
import type { ServerBugs } from './server-model.ts';
import { QUICK_SIGNATURES, REAL_SIGNATURES, RECEIPT_KEYS, type Signatures } from './signatures.ts';
import { SimulatedStorage, type StorageBugs } from './simulated-storage.ts';
import { Strangers } from './strangers.ts';
import { Troubles } from './troubles.ts';
import { calmAfter, type Sky, weatherOf } from './weather.ts';
import { World } from './world.ts';

/** Bugs to plant, for the checkers to find. */
export interface Bugs {
  readonly server?: ServerBugs;
  readonly storage?: StorageBugs;
  readonly customer?: CustomerBugs;
}

export interface FleetOptions {
  readonly bugs?: Bugs;
  /** What both sides accept; chosen by the seed when left out. */
  readonly policy?: SuitePolicy;
  /** Told every event worth telling. */
  readonly trace?: (line: string) => void;
}

export interface FleetResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly events: number;
  readonly virtualMs: number;
  /** Of all that happened: the same for the same seed. */
  readonly digest: string;
}

const PEPPERS: PepperRing = { current: 1, byVersion: new Map([[1, new Uint8Array(32).fill(9)]]) };
/** One fleet in so many signs with Ed25519 and is verified whole by the product's own `verifyLedger`; the others with a stand-in. */
const REAL_SIGNATURES_ONE_IN = 16;
const FUNDS_CENTS = 50_000n;

/** One fleet of sessions, from the first customer's enrolment to the last look at the disk, all of it chosen by the seed. */
export async function runFleet(crypto: Crypto, seed: number, options: FleetOptions = {}): Promise<FleetResult> {
  const random = new SeededRandom(seed);
  const world = new World(random, options.trace);
  const fleet = new Fleet(world, crypto, options);
  try {
    await fleet.run();
  } catch (error) {
    fleet.auditor.violated(`threw: ${(error as Error).stack}`);
  }
  return {
    seed,
    violations: fleet.auditor.violations,
    counts: world.counts,
    events: world.events,
    virtualMs: world.nowMs,
    digest: fleet.digest(),
  };
}

class Fleet {
  readonly auditor: Auditor;
  readonly #world: World;
  readonly #crypto: Crypto;
  readonly #options: FleetOptions;
  readonly #sky: Sky;
  readonly #signatures: Signatures;
  readonly #policy: SuitePolicy;
  readonly #disk: SimulatedDisk;
  readonly #clock: WallClock;
  readonly #troubles: Troubles;
  readonly #identities: Auth[];
  readonly #strangers: Strangers;
  readonly #fundings = new Set<string>();
  readonly #lives: ServerLives;

  constructor(world: World, crypto: Crypto, options: FleetOptions) {
    const { random } = world;
    this.#world = world;
    this.#crypto = crypto;
    this.#options = options;
    this.#sky = { weather: weatherOf(random), calmSinceMs: Number.POSITIVE_INFINITY };
    this.#signatures = random.oneIn(REAL_SIGNATURES_ONE_IN) ? REAL_SIGNATURES : QUICK_SIGNATURES;
    this.#policy = options.policy ?? {
      groups: ['ffdhe2048'],
      kems: [random.oneIn(8) ? 'ML-KEM-768' : 'none'],
      aeads: [random.oneIn(2) ? 'AES-256-GCM' : 'ChaCha20-Poly1305'],
    };
    this.auditor = new Auditor(world, this.#signatures);
    this.#clock = new WallClock(world);
    this.#troubles = new Troubles(world, this.#sky);
    this.#disk = new SimulatedDisk(random, this.#troubles);
    this.#identities = Array.from({ length: 3 + random.below(8) }, (_, index) => identityOf(random, index));
    this.#lives = new ServerLives({
      world,
      sky: this.#sky,
      crypto,
      signatures: this.#signatures,
      policy: this.#policy,
      peppers: PEPPERS,
      auditor: this.auditor,
      disk: this.#disk,
      clock: this.#clock,
      bugs: options.bugs ?? {},
      onBug: (cause) => this.#bug(cause),
    });
    this.#strangers = new Strangers(
      world,
      () => this.#lives.server?.portsHeld ?? [],
      (port, connected) => this.#connect(port, 'the strangers', connected, () => undefined),
    );
  }

  async run(): Promise<void> {
    await this.#enroll();
    this.#troubles.begin();
    const storm = this.#sky.weather;
    this.#lives.start();
    const spreadMs = this.#world.random.between(5_000, 60_000);
    const payers = this.#identities.map((identity) => this.#payer(identity, spreadMs));
    this.#troubles.plan({
      ledgerKilled: () => this.#lives.ledger?.kill(),
      serverKilled: (powerFails) => this.#lives.kill(powerFails),
      serverDrained: () => this.#lives.drain(),
      clockJumps: (byUs) => {
        this.#clock.offsetUs += byUs;
      },
      strangersKnock: () => this.#strangers.knock(),
      operatorFunds: () => this.#fund(),
    });
    this.#world.after(spreadMs + this.#world.random.between(0, 20_000), () => {
      this.#world.tell(() => 'the storm is over');
      this.#troubles.calmDown();
      this.#sky.weather = calmAfter(storm);
      this.#sky.calmSinceMs = this.#world.nowMs;
    });
    await this.#world.run();
    if (this.auditor.violations.length > 0) return;
    for (const payer of payers)
      this.auditor.expect(payer.unsettled === 0, () => `${payer.unsettled} orders of a customer are never settled`);
    await this.#close();
  }

  digest(): string {
    const { counts, events, nowMs } = this.#world;
    const text = JSON.stringify([counts, events, nowMs, this.auditor.violations]);
    return createHash('sha256').update(text).update(this.#disk.open().read()).digest('hex').slice(0, 16);
  }

  /** Before anything goes wrong. */
  async #enroll(): Promise<void> {
    const storage = new SimulatedStorage(this.#disk);
    await storage.open();
    const ledger = ledgerOver(storage, this.#signatures.receiptSigner, this.#clock, (cause) => this.#bug(cause));
    for (const identity of this.#identities) {
      const { customerId } = identity;
      await ledger.enroll({ id: customerId, ...digestIdentity(PEPPERS, identity) });
      await ledger.openAccount({ id: accountOf(customerId), owner: customerId, currency: 'EUR' });
      await ledger.fund({ account: accountOf(customerId), amount: FUNDS_CENTS, transactionId: this.#fundingId() });
    }
    await ledger.close();
  }

  #payer(identity: Auth, spreadMs: number): Payer {
    const { random } = this.#world;
    const large = random.oneIn(100);
    const count = large ? 16 : 4 + random.below(20);
    const orders = makeOrders(random, identity.customerId, this.#identities.length, count, large);
    return new Payer({
      world: this.#world,
      sky: this.#sky,
      crypto: this.#crypto,
      signatures: this.#signatures,
      auditor: this.auditor,
      roads: this.#roads(identity.customerId),
      context: {
        hashing: this.#crypto,
        policy: this.#policy,
        pins: { hostKey: random.oneIn(5) ? undefined : this.#signatures.hostKey, nextHostKey: undefined },
        trustOnFirstUse: true,
        secondHosts: [],
      },
      identity,
      orders,
      spreadMs,
      inOneGo: large,
      bugs: this.#options.bugs?.customer ?? {},
    });
  }

  #roads(customerId: string): Roads {
    return {
      toFirstPort: (connected, refused) => this.#connect('first', customerId, connected, refused),
      toSecondPort: (port, connected, refused) => this.#connect(port, customerId, connected, refused),
    };
  }

  #connect(port: number | 'first', who: string, connected: (end: End) => void, refused: () => void): void {
    const { random } = this.#world;
    if (random.oneIn(this.#sky.weather.unreachableOneIn)) {
      this.#world.count('fault: not reachable');
      if (random.oneIn(2)) this.#world.after(delayOf(this.#world, this.#sky), refused);
      return;
    }
    const link = new Link(this.#world, this.#sky);
    const [ours, theirs] = link.ends;
    // Nobody reads here until the customer knows that it is connected.
    ours.pause(true);
    if (port !== 'first' && who !== 'the strangers') this.#eavesdrop(link, port);
    const address = who === 'the strangers' ? '198.51.100.7' : `192.0.2.${1 + Number(who.slice('customer-'.length))}`;
    this.#world.after(delayOf(this.#world, this.#sky), () => {
      const { server } = this.#lives;
      const there = port === 'first' ? server?.acceptFirst(theirs, address) : server?.acceptSecond(port, theirs);
      if (there === true) this.auditor.connected(who === 'the strangers' ? [theirs] : link.ends);
      this.#world.after(delayOf(this.#world, this.#sky), () => {
        if (there !== true || !ours.alive) {
          refused();
          return;
        }
        connected(ours);
        ours.pause(false);
      });
    });
  }

  #eavesdrop(link: Link, port: number): void {
    if (this.#sky.weather.strangersMeanMs === 0 || !this.#world.random.oneIn(3)) return;
    link.overheard = (bytes) => {
      link.overheard = undefined;
      this.#strangers.overhears({ port, flight: Uint8Array.from(bytes) });
    };
  }

  #fund(): void {
    const ledger = this.#lives.ledger?.ledger;
    if (ledger === undefined) return;
    const account = accountOf(customerIdOf(this.#world.random.below(this.#identities.length)));
    const amount = BigInt(1 + this.#world.random.below(5_000));
    this.#world.count('operator funds');
    ledger.fund({ account, amount, transactionId: this.#fundingId() }).catch((error: unknown) => {
      if (!(error instanceof SallyportError)) this.#bug(error);
    });
    this.#world.touchPromises();
  }

  #fundingId(): Uint8Array {
    const transactionId = this.#world.random.bytes(16);
    this.#fundings.add(keyOf('operator', transactionId));
    return transactionId;
  }

  /** The server stops in peace; then the power goes, and what is left on the disk is looked at. */
  async #close(): Promise<void> {
    this.#lives.server?.shutdown();
    await this.#world.run();
    if (this.auditor.violations.length > 0) return;
    const { server, ledger } = this.#lives;
    this.auditor.expect(server?.idle === true, () => `the server has something left: ${server?.describe()}`);
    this.auditor.expect(ledger?.pending === 0, () => `${ledger?.pending} things wait for the ledger for ever`);
    this.auditor.finish();
    this.#disk.powerFailed();
    this.#troubles.rest();
    auditBooks(this.auditor, this.#disk.open().read(), this.#fundings);
    if (this.#signatures !== REAL_SIGNATURES || this.auditor.violations.length > 0) return;
    const storage = new SimulatedStorage(this.#disk);
    await storage.open();
    const { findings } = await verifyLedger(storage, { keys: RECEIPT_KEYS });
    for (const { name, detail } of findings) this.auditor.violated(`verify: ${name}: ${detail}`);
    this.#world.count('ledgers verified by the product');
  }

  #bug(cause: unknown): void {
    this.auditor.violated(`threw: ${cause instanceof Error ? cause.stack : String(cause)}`);
  }
}

function identityOf(random: SeededRandom, index: number): Auth {
  const profile = [
    { tag: 'born', value: random.bytes(10) },
    { tag: 'name', value: random.bytes(30) },
  ];
  return { customerId: customerIdOf(index), profile, credential: random.bytes(32) };
}
