import type { SeededRandom } from './random.ts';

/** What goes wrong in one fleet, and how often. A rate `…OneIn` of 0 is never; a mean of 0 is never. */
export interface Weather {
  readonly fair: boolean;
  /** One way, in milliseconds: at least, and by chance as much again. */
  readonly latencyMs: number;
  readonly jitterMs: number;
  /** One segment in so many is late by up to `lateMs`, and overtaken by those of other connections. */
  readonly lateOneIn: number;
  readonly lateMs: number;
  /** One delivery in so many is a part of what was written. */
  readonly splitOneIn: number;
  /** Of writes: the connection is reset, goes silent, or what was written is altered on its way. */
  readonly resetOneIn: number;
  readonly silenceOneIn: number;
  readonly alterOneIn: number;
  readonly unreachableOneIn: number;
  /** Bytes on their way before a writer has to wait. */
  readonly windowBytes: number;
  readonly poolMs: number;
  readonly poolFailsOneIn: number;
  readonly retryOneIn: number;
  readonly ports: number;
  readonly quarantineOneIn: number;
  readonly strangersMeanMs: number;
  readonly diskMs: number;
  readonly diskSlowOneIn: number;
  readonly diskStuckOneIn: number;
  readonly writeFailsOneIn: number;
  readonly syncFailsOneIn: number;
  readonly readFailsOneIn: number;
  readonly diskFullMeanMs: number;
  readonly ledgerKilledMeanMs: number;
  readonly serverKilledMeanMs: number;
  /** Of kills of the server: the power goes, and with it what was not synced. */
  readonly powerOneIn: number;
  readonly serverDrainedMeanMs: number;
  readonly clockJumpsMeanMs: number;
  readonly giveUpOneIn: number;
  readonly impostorOneIn: number;
}

const FAIR: Weather = {
  fair: true,
  latencyMs: 1,
  jitterMs: 1,
  lateOneIn: 0,
  lateMs: 0,
  splitOneIn: 0,
  resetOneIn: 0,
  silenceOneIn: 0,
  alterOneIn: 0,
  unreachableOneIn: 0,
  windowBytes: 65_536,
  poolMs: 1,
  poolFailsOneIn: 0,
  retryOneIn: 0,
  ports: 32,
  quarantineOneIn: 0,
  strangersMeanMs: 0,
  diskMs: 1,
  diskSlowOneIn: 0,
  diskStuckOneIn: 0,
  writeFailsOneIn: 0,
  syncFailsOneIn: 0,
  readFailsOneIn: 0,
  diskFullMeanMs: 0,
  ledgerKilledMeanMs: 0,
  serverKilledMeanMs: 0,
  powerOneIn: 0,
  serverDrainedMeanMs: 0,
  clockJumpsMeanMs: 0,
  giveUpOneIn: 0,
  impostorOneIn: 0,
};

/** One fleet in ten has nothing to complain of; in the others each kind of trouble is there or not, mild or bad. */
export function weatherOf(random: SeededRandom): Weather {
  const fair = random.oneIn(10);
  const pace = { latencyMs: random.pick([0.1, 1, 1, 30]), jitterMs: random.pick([0.1, 1, 20]) };
  if (fair) return { ...FAIR, ...pace };
  const rate = (...rates: readonly number[]): number => (random.oneIn(3) ? random.pick(rates) : 0);
  return {
    fair,
    ...pace,
    lateOneIn: rate(3, 20, 100),
    lateMs: random.pick([10, 300, 8_000]),
    splitOneIn: rate(1, 2, 10),
    resetOneIn: rate(15, 60, 300),
    silenceOneIn: rate(30, 100, 400),
    alterOneIn: rate(15, 60, 300),
    unreachableOneIn: rate(8, 30),
    windowBytes: random.pick([1_024, 16_384, 65_536, 65_536]),
    poolMs: random.pick([1, 1, 20, 3_000]),
    poolFailsOneIn: rate(5, 30),
    retryOneIn: rate(1, 2, 10),
    ports: random.pick([4, 16, 32, 32, 64, 64, 64, 64]),
    quarantineOneIn: rate(10),
    strangersMeanMs: rate(60, 300, 2_000),
    diskMs: random.pick([0.1, 1, 10]),
    diskSlowOneIn: rate(2, 20),
    diskStuckOneIn: rate(100, 1_000),
    writeFailsOneIn: rate(4, 30),
    syncFailsOneIn: rate(4, 30),
    readFailsOneIn: rate(20, 200),
    diskFullMeanMs: rate(5_000, 40_000),
    ledgerKilledMeanMs: rate(1_000, 10_000),
    serverKilledMeanMs: rate(5_000, 30_000),
    powerOneIn: random.pick([1, 2]),
    serverDrainedMeanMs: rate(10_000, 40_000),
    clockJumpsMeanMs: rate(2_000, 20_000),
    giveUpOneIn: rate(8, 30),
    impostorOneIn: rate(8, 30),
  };
}

/** After the storm: the same distances, and no trouble any more. */
export function calmAfter(weather: Weather): Weather {
  const { latencyMs, jitterMs, ports } = weather;
  return { ...FAIR, latencyMs, jitterMs, ports, fair: weather.fair };
}

/** The weather now: everybody in a fleet looks at the same one. */
export interface Sky {
  weather: Weather;
  /** When the storm was over; infinite before. */
  calmSinceMs: number;
}
