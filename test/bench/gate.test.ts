import { describe, expect, it } from 'vitest';
import { judge, readGateRules } from '../../bench/ci/gate.ts';
import { kernelPairs } from '../../bench/ci/subjects/kernels.ts';
import { portPairs } from '../../bench/ci/subjects/ports.ts';
import { recordPairs } from '../../bench/ci/subjects/records.ts';
import { handshakePairs } from '../../bench/ci/subjects/sessions.ts';
import { ratioEntry, resultOf } from './entries.ts';

const RULES = {
  about: '',
  ratios: { 'shared value ffdhe3072': { leastEffect: 0.05, ratioMax: 3 } },
  counts: { flushes: 1 },
};

const verdict = (...args: Parameters<typeof judge>): boolean[] => judge(...args).map((gate) => gate.passed);

describe('a gate', () => {
  it('passes an unchanged build, a hundred times', () => {
    const baseline = resultOf(ratioEntry(1, 1));
    const failures = Array.from(
      { length: 100 },
      (_, i) => judge(resultOf(ratioEntry(1, i + 2)), RULES, baseline)[0]!,
    ).filter((gate) => !gate.passed);
    expect(failures).toEqual([]);
  });

  it('fails what is 10 % slower, and says by how much', () => {
    const [gate] = judge(resultOf(ratioEntry(1.1, 2)), RULES, resultOf(ratioEntry(1, 1)));
    expect(gate).toMatchObject({ passed: false });
    expect(gate!.words).toMatch(/\+(9|10)\.\d % against 1\.00\d before/);
  });

  it('passes what is faster, and what is slower by less than matters', () => {
    const baseline = resultOf(ratioEntry(1, 1));
    expect(verdict(resultOf(ratioEntry(0.8, 2)), RULES, baseline)).toEqual([true]);
    expect(verdict(resultOf(ratioEntry(1.03, 2)), RULES, baseline)).toEqual([true]);
  });

  it('does not judge beyond the noise floor, of either run', () => {
    const baseline = resultOf(ratioEntry(1, 1));
    expect(verdict(resultOf(ratioEntry(1.1, 2, { noiseFloor: 0.2 })), RULES, baseline)).toEqual([true]);
    expect(verdict(resultOf(ratioEntry(1.1, 2)), RULES, resultOf(ratioEntry(1, 1, { noiseFloor: 0.2 })))).toEqual([
      true,
    ]);
    expect(verdict(resultOf(ratioEntry(1.5, 2, { noiseFloor: 0.2 })), RULES, baseline)).toEqual([false]);
  });

  it('holds the absolute bound without any baseline', () => {
    expect(verdict(resultOf(ratioEntry(2.9, 1)), RULES)).toEqual([true]);
    expect(verdict(resultOf(ratioEntry(3.2, 1)), RULES)).toEqual([false]);
  });

  it('holds counts exactly', () => {
    const count = (value: number) => resultOf({ kind: 'count', name: 'flushes', what: '', unit: 'flushes', value });
    expect(verdict(count(1), RULES)).toEqual([true]);
    expect(verdict(count(2), RULES)).toEqual([false]);
    expect(judge(count(0), RULES)[0]).toMatchObject({ passed: true, words: expect.stringContaining('tighten') });
  });

  it('fails what it has no rule for: a benchmark cannot be added without one', () => {
    expect(verdict(resultOf(ratioEntry(1, 1, { name: 'new' })), RULES)).toEqual([false]);
    expect(verdict(resultOf({ kind: 'count', name: 'new', what: '', unit: 'x', value: 1 }), RULES)).toEqual([false]);
  });
});

describe('gates.json', () => {
  it('has a rule for every benchmark, and none for what is gone', async () => {
    const inProcess = [...(await kernelPairs()), ...recordPairs(), ...portPairs(), ...(await handshakePairs())];
    const others = [
      'ledger commit, 32 payments',
      'session, handshake',
      'session, one payment',
      'sessions, 8 payments at once',
    ];
    const rules = readGateRules();
    expect(Object.keys(rules.ratios).sort()).toEqual([...inProcess.map((pair) => pair.name), ...others].sort());
    expect(Object.keys(rules.counts).length).toBeGreaterThan(10);
  });
});
