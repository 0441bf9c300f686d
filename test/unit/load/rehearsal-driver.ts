import type { Clock } from '../../../src/load/clock.ts';
import type { LoadDriver } from '../../../src/load/driver-interface.ts';
import { exponential, seededRandom } from '../../../src/load/random.ts';

export interface RehearsalSettings {
  readonly meanMs: number;
  /** Every n-th operation fails; 0: none. */
  readonly failEvery: number;
  readonly error: string;
  /** Busy CPU time of every operation, in milliseconds. */
  readonly burnMs: number;
  /** Between these moments, in milliseconds since the first operation, nothing is answered. */
  readonly stallMs?: readonly [from: number, to: number];
  readonly breakInThread?: boolean;
}

/** Stands where the real driver stands and answers out of thin air, after waiting or burning CPU as it is told. */
export async function openDriver(given: unknown, clock: Clock): Promise<LoadDriver> {
  const settings = given as RehearsalSettings;
  if (settings.breakInThread === true) throw new Error('the driver could not be opened');
  const random = seededRandom(1);
  const state = { firstNs: undefined as number | undefined };
  const sleepUntil = (ns: number): Promise<void> => new Promise((resolve) => clock.at(ns, resolve));
  return {
    held: 0,
    stop: () => {},
    close: async () => new Uint8Array(0),
    operate: async ({ index, startNs }) => {
      state.firstNs ??= startNs;
      const burnUntil = clock.nowNs() + settings.burnMs * 1e6;
      while (clock.nowNs() < burnUntil);
      const since = (clock.nowNs() - state.firstNs) / 1e6;
      const [from, to] = settings.stallMs ?? [0, 0];
      if (since >= from && since < to) await sleepUntil(state.firstNs + to * 1e6);
      const offer = settings.meanMs * (0.5 + exponential(random)) * 1e6;
      if (settings.meanMs > 0) await sleepUntil(clock.nowNs() + offer);
      const failed = settings.failEvery > 0 && index % settings.failEvery === 0;
      return {
        endNs: clock.nowNs(),
        error: failed ? settings.error : undefined,
        phases: [
          ['connect', 60_000],
          ['offer', offer * 0.4],
          ['connect2', 70_000],
          ['exchange', offer * 0.5],
          ['identity', 90_000],
          ['commit', offer * 0.1],
        ],
        payments: failed ? 0 : 1,
      };
    },
  };
}
