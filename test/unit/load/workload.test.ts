import { describe, expect, it } from 'vitest';
import { longestHoldSeconds, parseWorkload, workOf } from '../../../src/load/workload.ts';

describe('a workload', () => {
  it.each([
    ['handshake', { kind: 'handshake' }],
    ['payment', { kind: 'payments', payments: 1 }],
    ['payments:1000', { kind: 'payments', payments: 1_000 }],
    ['hold:20s', { kind: 'hold', seconds: 20 }],
  ])('%s is read', (text, work) => {
    expect(parseWorkload(text)).toEqual({ text, mix: [{ work, weight: 1 }] });
  });

  it.each([
    '',
    'payments',
    'payments:0',
    'payments:1001',
    'hold:20',
    'hold:0s',
    'hold:3601s',
    'mix:',
    'mix:payment',
    'mix:payment=0',
    'mix:x=1',
  ])('%j is refused with what would be right', (text) => {
    expect(() => parseWorkload(text)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });

  it('mixes by weight, the same for a seed and another for another', () => {
    const workload = parseWorkload('mix:handshake=1, payments:3=2,hold:5s=1');
    const kinds = (seed: number): string[] =>
      Array.from({ length: 10_000 }, (_, index) => workOf(workload, seed, index).kind);
    const first = kinds(1);
    expect(first).toEqual(kinds(1));
    expect(first).not.toEqual(kinds(2));
    const share = (kind: string): number => first.filter((each) => each === kind).length / first.length;
    // Four standard deviations of a binomial share of 10,000.
    expect(Math.abs(share('handshake') - 0.25)).toBeLessThan(0.018);
    expect(Math.abs(share('payments') - 0.5)).toBeLessThan(0.02);
    expect(longestHoldSeconds(workload)).toBe(5);
  });
});
