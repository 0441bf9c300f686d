import { describe, expect, it } from 'vitest';
import { SessionTimes } from '../../../src/load/session-times.ts';
import { SimulatedClock } from './simulated-clock.ts';

const STEPS = [
  'hello-sent',
  'offer-received',
  'offer-checked',
  'moving',
  'customer-value-sent',
  'server-finished-checked',
  'identity-verified',
] as const;

describe('the phases of a session', () => {
  it('follow from its steps and leave nothing out', () => {
    const clock = new SimulatedClock();
    const times = new SessionTimes(clock, clock.nowNs());
    for (const [index, step] of STEPS.entries()) {
      clock.stall(10 ** index);
      times.take(step);
    }
    expect(times.phases()).toEqual([
      ['connect', 1],
      ['offer', 10],
      ['connect2', 100 + 1_000 + 10_000],
      ['exchange', 100_000],
      ['identity', 1_000_000],
    ]);
  });

  it('count the time of a RETRY to the offer', () => {
    const clock = new SimulatedClock();
    const times = new SessionTimes(clock, 0);
    for (const step of ['hello-sent', 'retry-received', 'connecting', 'hello-sent', 'offer-received'] as const) {
      clock.stall(5);
      times.take(step);
    }
    expect(times.phases()).toEqual([
      ['connect', 5],
      ['offer', 20],
    ]);
  });

  it('count a payment that was sent ahead from the moment it could be looked at', () => {
    const clock = new SimulatedClock();
    const times = new SessionTimes(clock, 0);
    clock.stall(100);
    times.take('identity-verified');
    clock.stall(30);
    times.committed(10);
    clock.stall(50);
    times.committed(150);
    expect(times.phases()).toEqual([
      ['commit', 30],
      ['commit', 30],
    ]);
  });
});
