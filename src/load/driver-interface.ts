/** What a generator thread needs of the thing that speaks to the server. `driver.ts` is the real one. */

import type { Clock } from './clock.ts';
import type { Operate } from './scheduler.ts';

export interface LoadDriver {
  readonly operate: Operate;
  /** Sessions that are held open on purpose now. */
  readonly held: number;
  /** Ends what is held. Resolves when every socket is closed. */
  close(): Promise<void>;
}

/** The one export of a driver's module, called once in each thread. `settings` was copied from the main thread. */
export interface DriverModule {
  openDriver(settings: unknown, clock: Clock): Promise<LoadDriver>;
}
