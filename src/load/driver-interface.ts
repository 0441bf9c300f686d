/** What a generator thread needs of the thing that speaks to the server. `driver.ts` is the real one. */

import type { Clock } from './clock.ts';
import type { Operate } from './scheduler.ts';

export interface LoadDriver {
  readonly operate: Operate;
  /** Sessions that are held open on purpose now. */
  readonly held: number;
  /** The run is being ended: hold nothing any longer. */
  stop(): void;
  /** After the last operation. The ids of all transactions that were acknowledged by a verified receipt, 16 bytes each, one after another. */
  close(): Promise<Uint8Array<ArrayBuffer>>;
}

/** The one export of a driver's module, called once in each thread. `settings` was copied from the main thread. */
export interface DriverModule {
  openDriver(settings: unknown, clock: Clock): Promise<LoadDriver>;
}
