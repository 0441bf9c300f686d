/** Leasing a second port at 90 % occupancy beside the same at 10 %: a table that searches is found out by its ratio. */

import { assert } from '../../../src/errors.ts';
import { PortTable } from '../../../src/ports/port-table.ts';
import type { BenchPair } from '../subject.ts';

/** The default range. */
const SLOTS = 10_000;

/** What is measured of a port table. */
export interface LeaseTable {
  lease(nowMs: number): number | undefined;
  release(slot: number): void;
}

export function portPairs(create: (slots: number) => LeaseTable = (slots) => new PortTable(slots)): BenchPair[] {
  const crowded = leaseAndRelease(create, 0.9);
  const empty = leaseAndRelease(create, 0.1);
  return [
    {
      name: 'port lease at 90 % occupancy',
      what: `one lease and one release of ${SLOTS} ports, nine tenths of them leased`,
      reference: 'the same at 10 %',
      subject: crowded,
      referenceWork: empty,
    },
  ];
}

/** Prime, so that releases are spread over the whole table however short a turn is. */
const STRIDE = 7_919;

/** Every iteration gives back a lease and takes a new one, as sessions come and go. */
function leaseAndRelease(create: (slots: number) => LeaseTable, occupancy: number): (iterations: number) => void {
  const table = create(SLOTS);
  const held = new Int32Array(Math.round(SLOTS * occupancy));
  for (let i = 0; i < held.length; i += 1) held[i] = leased(table);
  let next = 0;
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      table.release(held[next]!);
      held[next] = leased(table);
      next = (next + STRIDE) % held.length;
    }
  };
}

function leased(table: LeaseTable): number {
  const slot = table.lease(0);
  assert(slot !== undefined, 'a port is free');
  return slot;
}
