/** What the main thread and the generator threads tell each other. */

import type { ArrivalProcess, Share } from './arrivals.ts';
import type { Stage } from './load-shape.ts';
import type { RowBatch } from './rows.ts';
import type { ThreadHealth } from './validity.ts';

export interface ThreadStart {
  /** Of a module with `openDriver`. */
  readonly driverUrl: string;
  readonly driverSettings: unknown;
  readonly epochNs: bigint;
  readonly share: Share;
  readonly load:
    | {
        readonly mode: 'open';
        readonly stages: readonly Stage[];
        readonly process: ArrivalProcess;
        readonly seed: number;
        readonly count: number | undefined;
        readonly inFlightMax: number;
      }
    | {
        readonly mode: 'closed';
        /** Of this thread. */
        readonly customers: number;
        readonly seconds: number;
        /** The run's next index and its end, shared by all threads. */
        readonly counter: SharedArrayBuffer;
        readonly count: number | undefined;
      };
}

export type ToThread =
  | {
      readonly kind: 'begin';
      /** On the run's clock. */
      readonly beginNs: number;
      readonly measureFromNs: number;
      readonly measureToNs: number;
    }
  | { readonly kind: 'stop' };

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'rows'; readonly batch: RowBatch }
  /** Due times of arrivals that were given up. */
  | { readonly kind: 'unstarted'; readonly dueNs: readonly number[] }
  | { readonly kind: 'status'; readonly started: number; readonly inFlight: number; readonly held: number }
  | {
      readonly kind: 'done';
      readonly health: ThreadHealth;
      readonly cpuSeconds: number;
      readonly acknowledged: Uint8Array<ArrayBuffer>;
    };
