import { describe, expect, it } from 'vitest';
import { type GeneratorHealth, rejectionsOf } from '../../../src/load/validity.ts';

const HEALTHY: GeneratorHealth = {
  threads: [{ eventLoopUtilization: 0.5, cpu: 0.4, loopDelayP99Ns: 1e6 }],
  lagP99Ns: 1_200_000,
  wholeP99Ns: 20_000_000,
  due: 10_000,
  started: 10_000,
  localErrors: {},
  mode: 'open',
};

const codes = (over: Partial<GeneratorHealth>): string[] =>
  rejectionsOf({ ...HEALTHY, ...over }).map((each) => each.code);

describe('a run rejects itself', () => {
  it('not when the generator had room', () => {
    expect(codes({})).toEqual([]);
  });

  it('when one event loop of several was saturated', () => {
    const busy = { eventLoopUtilization: 0.97, cpu: 0.4, loopDelayP99Ns: 1e6 };
    expect(codes({ threads: [HEALTHY.threads[0]!, busy] })).toEqual(['EVENT_LOOP_SATURATED']);
    expect(codes({ threads: [{ ...busy, eventLoopUtilization: 0.95 }] })).toEqual([]);
  });

  it('when a thread used up its CPU', () => {
    expect(codes({ threads: [{ eventLoopUtilization: 0.9, cpu: 0.99, loopDelayP99Ns: 1e6 }] })).toEqual([
      'CPU_SATURATED',
    ]);
  });

  it('when operations started late, measured against what a late start does to the result', () => {
    expect(codes({ lagP99Ns: 10_000_001 })).toEqual(['STARTS_LATE']);
    expect(codes({ lagP99Ns: 30_000_000, wholeP99Ns: 400_000_000 })).toEqual([]);
    expect(codes({ lagP99Ns: 30_000_000, mode: 'closed' })).toEqual([]);
  });

  it('when source ports or descriptors ran out, naming which', () => {
    expect(codes({ localErrors: { EADDRNOTAVAIL: 1 } })).toEqual(['SOURCE_PORTS']);
    expect(codes({ localErrors: { EMFILE: 1 } })).toEqual(['DESCRIPTORS']);
    expect(codes({ localErrors: { BUSY: 5 } })).toEqual([]);
  });

  it('when the rate was not offered', () => {
    expect(codes({ started: 9_900 })).toEqual([]);
    expect(codes({ started: 9_899 })).toEqual(['RATE_NOT_OFFERED']);
    expect(codes({ started: 5_000, mode: 'closed' })).toEqual([]);
  });

  it('with every reason at once', () => {
    expect(codes({ started: 1, lagP99Ns: 1e9, localErrors: { EMFILE: 1, EADDRNOTAVAIL: 2 } })).toHaveLength(4);
  });
});
