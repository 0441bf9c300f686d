/** One generator thread: draws its share of the schedule, starts operations, and tells the main thread what became of them. */

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../errors.ts';
import { arrivalsOf } from './arrivals.ts';
import { type Clock, systemClock } from './clock.ts';
import type { DriverModule, LoadDriver } from './driver-interface.ts';
import { LoadShape } from './load-shape.ts';
import { RowWriter } from './rows.ts';
import { type Observer, runClosedLoop, runOpenLoop, StopSwitch } from './scheduler.ts';
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts';
import type { ThreadHealth } from './validity.ts';

/** Often enough for a live display, seldom enough to cost nothing. */
const STATUS_INTERVAL_MS = 200;
/** The resolution of Node's event loop delay monitor; it is part of every value it reports. */
const LOOP_DELAY_RESOLUTION_MS = 10;

assert(parentPort !== null, 'a generator thread has a parent');
const port = parentPort;
const start = workerData as ThreadStart;
const stop = new StopSwitch();
const clock = systemClock(start.epochNs);

const tell = (message: FromThread, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, [...transfer]);

type MeterReading = ReturnType<typeof readMeter>;

function readMeter() {
  return { ns: clock.nowNs(), loop: performance.eventLoopUtilization(), cpu: process.threadCpuUsage() };
}

/** What the thread cost while the run was measured. */
class Meter {
  readonly #loopDelay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS });
  #from = readMeter();
  #to: MeterReading | undefined;

  constructor() {
    this.#loopDelay.enable();
  }

  begin(): void {
    this.#from = readMeter();
    this.#to = undefined;
    this.#loopDelay.reset();
  }

  end(): void {
    this.#to ??= readMeter();
  }

  result(): { readonly health: ThreadHealth; readonly cpuSeconds: number } {
    const to = this.#to ?? readMeter();
    const wallUs = Math.max(1, (to.ns - this.#from.ns) / 1e3);
    const cpuUs = to.cpu.user + to.cpu.system - this.#from.cpu.user - this.#from.cpu.system;
    this.#loopDelay.disable();
    return {
      health: {
        eventLoopUtilization: performance.eventLoopUtilization(to.loop, this.#from.loop).utilization,
        cpu: cpuUs / wallUs,
        loopDelayP99Ns: Math.max(0, this.#loopDelay.percentile(99) - LOOP_DELAY_RESOLUTION_MS * 1e6),
      },
      cpuSeconds: cpuUs / 1e6,
    };
  }
}

class Reporter implements Observer {
  readonly #rows = new RowWriter((batch) => tell({ kind: 'rows', batch }, [batch.doubles.buffer]));
  readonly #driver: LoadDriver;
  readonly #timer = setInterval(() => this.flush(), STATUS_INTERVAL_MS);
  #unstarted: number[] = [];
  #started = 0;
  #inFlight = 0;
  readonly #beginNs: number;

  constructor(driver: LoadDriver, beginNs: number) {
    this.#driver = driver;
    this.#beginNs = beginNs;
  }

  started(): void {
    this.#started += 1;
    this.#inFlight += 1;
  }

  ended(...[operation, end]: Parameters<Observer['ended']>): void {
    this.#inFlight -= 1;
    this.#rows.write(operation, end);
  }

  unstarted(arrival: Parameters<Observer['unstarted']>[0]): void {
    this.#unstarted.push(this.#beginNs + arrival.dueNs);
  }

  flush(): void {
    // Before the rows: nobody shall see more that ended than was started.
    tell({ kind: 'status', started: this.#started, inFlight: this.#inFlight, held: this.#driver.held });
    this.#rows.flush();
    if (this.#unstarted.length > 0) tell({ kind: 'unstarted', dueNs: this.#unstarted });
    this.#unstarted = [];
  }

  stop(): void {
    clearInterval(this.#timer);
    this.flush();
  }
}

function runShare(driver: LoadDriver, beginNs: number, observer: Observer, runClock: Clock): Promise<void> {
  const { load, share } = start;
  if (load.mode === 'open') {
    return runOpenLoop({
      clock: runClock,
      arrivals: arrivalsOf(
        { shape: new LoadShape(load.stages), process: load.process, seed: load.seed, count: load.count },
        share,
      ),
      beginNs,
      inFlightMax: load.inFlightMax,
      operate: driver.operate,
      observer,
      stop,
    });
  }
  const counter = new Int32Array(load.counter);
  return runClosedLoop({
    clock: runClock,
    customers: load.customers,
    beginNs,
    endNs: beginNs + load.seconds * 1e9,
    nextIndex: () => {
      const index = Atomics.add(counter, 0, 1);
      return load.count === undefined || index < load.count ? index : undefined;
    },
    operate: driver.operate,
    observer,
    stop,
  });
}

async function main(): Promise<void> {
  const module = (await import(start.driverUrl)) as DriverModule;
  const driver = await module.openDriver(start.driverSettings, clock);
  const meter = new Meter();
  const begun = new Promise<Extract<ToThread, { kind: 'begin' }>>((resolve) => {
    port.on('message', (message: ToThread) => {
      if (message.kind === 'begin') resolve(message);
      else {
        stop.pull();
        driver.stop();
      }
    });
  });
  tell({ kind: 'ready' });
  const { beginNs, measureFromNs, measureToNs } = await begun;
  const reporter = new Reporter(driver, beginNs);
  clock.at(measureFromNs, () => meter.begin());
  const cancelEnd = clock.at(measureToNs, () => meter.end());
  await runShare(driver, beginNs, reporter, clock);
  meter.end();
  cancelEnd();
  const acknowledged = await driver.close();
  reporter.stop();
  tell({ kind: 'done', acknowledged, ...meter.result() }, [acknowledged.buffer]);
  port.close();
}

await main();
