import type { SimulatedDisk } from './disk.ts';
import type { Bugs } from './fleet.ts';
import { LedgerHost, type WallClock } from './ledger-host.ts';
import { ServerModel, type ServerParts } from './server-model.ts';

export interface ServerLivesParts extends Omit<ServerParts, 'ledger' | 'bugs'> {
  readonly disk: SimulatedDisk;
  readonly clock: WallClock;
  readonly bugs: Bugs;
  readonly onBug: (cause: unknown) => void;
}

/** How long a server that died is away, in milliseconds. */
const AWAY_MS = [50, 3_000] as const;
/** How often, and how many times, a server that stops is looked at before it is ended. */
const DRAIN_LOOK_MS = 100;
const DRAIN_LOOKS = 100;

/** The server and its ledger's thread through their deaths and restarts, all over one disk. */
export class ServerLives {
  /** The one that listens now. */
  server: ServerModel | undefined;
  /** Of the process that runs now, which may still be opening its ledger. */
  ledger: LedgerHost | undefined;
  readonly #parts: ServerLivesParts;

  constructor(parts: ServerLivesParts) {
    this.#parts = parts;
  }

  /** The process starts: it opens its ledger first, and listens then. */
  start(): void {
    const { world, sky, disk, clock, signatures, bugs, onBug } = this.#parts;
    world.count('server started');
    const ledger: LedgerHost = new LedgerHost({
      world,
      sky,
      disk,
      clock,
      signer: signatures.receiptSigner,
      bugs: bugs.storage ?? {},
      onBug,
      onOpen: () => {
        this.server = new ServerModel({ ...this.#parts, ledger, bugs: bugs.server ?? {} });
      },
    });
    this.ledger = ledger;
    ledger.start();
    world.touchPromises();
  }

  /** The process is gone at this moment, and perhaps the power with it. */
  kill(powerFails: boolean): void {
    const { world, disk } = this.#parts;
    if (this.ledger === undefined) return;
    world.count(powerFails ? 'fault: power failed' : 'fault: server killed');
    if (this.server === undefined) world.count('fault: killed while its ledger was opening');
    world.tell(() => (powerFails ? 'the power fails' : 'the server is killed'));
    this.#vanish(powerFails);
    if (powerFails) disk.powerFailed();
    else disk.writerDied();
    world.after(world.random.between(...AWAY_MS), () => this.start());
  }

  /** SIGTERM, and another server when this one is done; at the latest after a while. */
  drain(): void {
    const { world, disk } = this.#parts;
    const { server } = this;
    if (server === undefined) return;
    world.count('fault: server drained');
    world.tell(() => 'the server is asked to stop');
    server.shutdown();
    const look = (left: number): void => {
      if (this.server !== server) return;
      if (!server.idle && left > 0) {
        world.after(DRAIN_LOOK_MS, () => look(left - 1));
        return;
      }
      world.count(server.idle ? 'server stopped with nothing left' : 'server stopped at its limit');
      this.#vanish(false);
      disk.writerDied();
      this.start();
    };
    look(DRAIN_LOOKS);
  }

  #vanish(withoutWord: boolean): void {
    this.server?.vanish(withoutWord);
    this.server = undefined;
    this.ledger?.vanish();
    this.ledger = undefined;
  }
}
