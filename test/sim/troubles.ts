import type { DiskTroubles } from './disk.ts';
import type { Sky } from './weather.ts';
import type { World } from './world.ts';

/** What can befall a fleet as a whole. */
export interface Blows {
  ledgerKilled(): void;
  serverKilled(powerFails: boolean): void;
  serverDrained(): void;
  clockJumps(byUs: bigint): void;
  strangersKnock(): void;
  operatorFunds(): void;
}

const FUNDING_MEAN_MS = 4_000;
/** Around LEDGER_STALL_MS: some outlast it, some do not. */
const STUCK_MS = [5_000, 60_000] as const;

/** Brings about what the weather says, while it lasts: the disk's troubles, and the blows. */
export class Troubles implements DiskTroubles {
  readonly #world: World;
  readonly #sky: Sky;
  #begun = false;
  #over = false;
  #capacity = Number.MAX_SAFE_INTEGER;
  #writtenBytes = 0;

  constructor(world: World, sky: Sky) {
    this.#world = world;
    this.#sky = sky;
  }

  /** Before it, and after `rest`, everything on the disk works at once. */
  begin(): void {
    this.#begun = true;
  }

  rest(): void {
    this.#begun = false;
  }

  calmDown(): void {
    this.#over = true;
    this.#capacity = Number.MAX_SAFE_INTEGER;
  }

  plan(blows: Blows): void {
    const { random } = this.#world;
    const { weather } = this.#sky;
    this.#often(FUNDING_MEAN_MS, () => blows.operatorFunds());
    this.#often(weather.ledgerKilledMeanMs, () => blows.ledgerKilled());
    this.#often(weather.serverKilledMeanMs, () => blows.serverKilled(random.oneIn(weather.powerOneIn)));
    this.#often(weather.serverDrainedMeanMs, () => blows.serverDrained());
    this.#often(weather.strangersMeanMs, () => blows.strangersKnock());
    this.#often(weather.clockJumpsMeanMs, () => {
      this.#world.count('fault: clock jumped');
      const byMs = random.pick([10, 1_000, 3_600_000, 86_400_000]) * (random.oneIn(2) ? -1 : 1);
      blows.clockJumps(BigInt(byMs) * 1_000n);
    });
    this.#often(weather.diskFullMeanMs, () => this.#fill());
  }

  async wait(): Promise<void> {
    if (!this.#begun) return;
    const { random } = this.#world;
    const { diskMs, diskSlowOneIn, diskStuckOneIn } = this.#sky.weather;
    if (random.oneIn(diskStuckOneIn)) {
      this.#world.count('fault: disk stuck');
      await this.#world.sleep(random.between(...STUCK_MS));
    } else if (random.oneIn(diskSlowOneIn)) {
      this.#world.count('fault: disk slow');
      await this.#world.sleep(random.between(50, 2_000));
    } else await this.#world.sleep(random.between(0, diskMs));
  }

  writeFails(): boolean {
    return this.#fails('fault: disk write failed', this.#sky.weather.writeFailsOneIn);
  }

  syncFails(): boolean {
    return this.#fails('fault: disk sync failed', this.#sky.weather.syncFailsOneIn);
  }

  capacity(wantedBytes: number): number {
    this.#writtenBytes = Math.max(this.#writtenBytes, Math.min(wantedBytes, this.#capacity));
    if (wantedBytes > this.#capacity) this.#world.count('fault: disk full');
    return this.#capacity;
  }

  #fails(what: string, oneIn: number): boolean {
    const failed = this.#begun && this.#world.random.oneIn(oneIn);
    if (failed) this.#world.count(what);
    return failed;
  }

  /** No room for more than a little, for a while. */
  #fill(): void {
    const { random } = this.#world;
    this.#capacity = this.#writtenBytes + random.below(3_000);
    this.#world.after(random.between(500, 8_000), () => {
      this.#capacity = Number.MAX_SAFE_INTEGER;
    });
  }

  #often(meanMs: number, blow: () => void): void {
    if (meanMs === 0) return;
    this.#world.after(meanMs * this.#world.random.between(0.1, 1.9), () => {
      if (this.#over) return;
      blow();
      this.#often(meanMs, blow);
    });
  }
}
