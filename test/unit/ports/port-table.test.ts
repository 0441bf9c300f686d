import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortTable } from '../../../src/ports/port-table.ts';

/** A model that is obviously right: three sets and a list. */
class Model {
  readonly queue: number[];
  readonly leased = new Set<number>();
  quarantine: { slot: number; untilMs: number }[] = [];

  constructor(order: number[]) {
    this.queue = order;
  }
}

const inOrder = (bound: number): number => bound - 1;

describe('the port table', () => {
  it('takes the slot that was idle for longest and reuses one as late as possible', () => {
    const table = new PortTable(4, inOrder);
    expect([table.lease(0), table.lease(0), table.lease(0)]).toEqual([0, 1, 2]);
    table.release(1);
    table.release(0);
    expect([table.lease(0), table.lease(0), table.lease(0), table.lease(0)]).toEqual([3, 1, 0, undefined]);
  });

  it('begins in a random order that holds every slot once', () => {
    const orders = Array.from({ length: 2 }, () => {
      const table = new PortTable(1000);
      return Array.from({ length: 1000 }, () => table.lease(0)!);
    });
    expect(orders[0]).not.toEqual(orders[1]);
    for (const order of orders) expect(new Set(order).size).toBe(1000);
  });

  it('releases and quarantines only what is leased', () => {
    const table = new PortTable(2, inOrder);
    expect(() => table.release(0)).toThrow(/leased/);
    const slot = table.lease(0)!;
    table.quarantine(slot, 'EADDRINUSE', 10);
    expect(() => table.release(slot)).toThrow(/leased/);
    expect(() => table.quarantine(slot, 'EADDRINUSE', 10)).toThrow(/leased/);
    expect(table.gauges).toEqual({ slots: 2, free: 1, leased: 0, quarantined: 1 });
    expect(table.quarantined).toEqual([{ slot, reason: 'EADDRINUSE', untilMs: 10 }]);
    expect(() => new PortTable(0)).toThrow(/at least one/);
  });

  it('brings a quarantined slot back at its time and not before', () => {
    const table = new PortTable(1);
    table.quarantine(table.lease(0)!, 'EACCES', 60);
    expect(table.lease(59)).toBeUndefined();
    expect(table.lease(60)).toBe(0);
    expect(table.state(0)).toBe('leased');
  });

  it('does the same as the model, whatever happens', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('lease' as const) }),
      fc.record({ kind: fc.constant('release' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('quarantine' as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(50) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(action, { maxLength: 200 }), (slots, actions) => {
        const table = new PortTable(slots, inOrder);
        const model = new Model(Array.from({ length: slots }, (_, slot) => slot));
        let nowMs = 0;
        for (const each of actions) {
          const picked = [...model.leased][
            each.kind === 'release' || each.kind === 'quarantine' ? each.pick % Math.max(1, model.leased.size) : 0
          ];
          if (each.kind === 'wait') nowMs += each.ms;
          if (each.kind === 'lease') {
            for (const due of model.quarantine.filter(({ untilMs }) => untilMs <= nowMs)) model.queue.push(due.slot);
            model.quarantine = model.quarantine.filter(({ untilMs }) => untilMs > nowMs);
            const slot = model.queue.shift();
            expect(table.lease(nowMs)).toBe(slot);
            if (slot !== undefined) model.leased.add(slot);
          }
          if (each.kind === 'release' && picked !== undefined) {
            table.release(picked);
            model.leased.delete(picked);
            model.queue.push(picked);
          }
          if (each.kind === 'quarantine' && picked !== undefined) {
            table.quarantine(picked, 'taken', nowMs + 30);
            model.leased.delete(picked);
            model.quarantine.push({ slot: picked, untilMs: nowMs + 30 });
          }
          expect(table.gauges).toEqual({
            slots,
            free: model.queue.length,
            leased: model.leased.size,
            quarantined: model.quarantine.length,
          });
        }
      }),
    );
  });

  it('touches one slot a lease, at 90 % occupancy as at 10 %', () => {
    // Counted, not timed: reads of the ring, through a proxy in the place of the typed array.
    const readsPerLease = (occupied: number): number => {
      let reads = 0;
      const original = Int32Array.from;
      Int32Array.from = ((source: Iterable<unknown>, map: (value: unknown, index: number) => number) =>
        new Proxy(original.call(Int32Array, source, map), {
          get(target, key) {
            if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
            const value = Reflect.get(target, key, target) as unknown;
            return value;
          },
          set: (target, key, value) => Reflect.set(target, key, value, target),
        })) as typeof Int32Array.from;
      try {
        const table = new PortTable(1000, inOrder);
        for (let count = 0; count < occupied; count++) table.lease(0);
        reads = 0;
        for (let count = 0; count < 50; count++) table.release(table.lease(0)!);
        return reads / 50;
      } finally {
        Int32Array.from = original;
      }
    };
    expect(readsPerLease(100)).toBe(1);
    expect(readsPerLease(900)).toBe(1);
  });
});
