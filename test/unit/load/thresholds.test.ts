import { describe, expect, it } from 'vitest';
import { createHistogram, recordNs } from '../../../src/load/histogram.ts';
import { PHASE_NAMES } from '../../../src/load/phases.ts';
import { evaluateThreshold, type Measured, parseThreshold } from '../../../src/load/thresholds.ts';

const MS = 1_000_000;

function measured(over: Partial<Measured> = {}): Measured {
  const histograms = new Map(PHASE_NAMES.map((phase) => [phase, createHistogram()]));
  for (let i = 1; i <= 100; i += 1) {
    recordNs(histograms.get('whole')!, i * MS);
    recordNs(histograms.get('offer')!, i * 1_000);
  }
  return { seconds: 10, completed: 990, failed: 10, payments: 500, histograms, ...over };
}

const judge = (text: string, over: Partial<Measured> = {}) => evaluateThreshold(parseThreshold(text), measured(over));

describe('thresholds', () => {
  it.each([
    ['p99<100ms', true],
    ['p99<98ms', false],
    ['p50 <= 50.1 ms', true],
    ['p99.9<1s', true],
    ['max<99ms', false],
    ['min>0.9ms', true],
    ['mean<51ms', true],
    ['mean<50ms', false],
    ['offer.p95<96us', true],
    ['offer.p95<94µs', false],
    ['errors<1%', false],
    ['errors<=1%', true],
    ['errors<11', true],
    ['errors<10', false],
    ['rate>=99', true],
    ['rate>=100', false],
    ['payments>=50', true],
    ['payments>50', false],
  ])('%s: %s', (text, passed) => {
    expect(judge(text)).toMatchObject({ text: text.trim(), passed });
  });

  it('never pass on nothing', () => {
    expect(judge('commit.p99<1s')).toMatchObject({ passed: false, observed: null });
    expect(judge('errors<100%', { completed: 0, failed: 0 })).toMatchObject({ passed: false, observed: null });
    expect(judge('rate>=0', { seconds: 0 })).toMatchObject({ passed: false, observed: null });
  });

  it('say what was seen', () => {
    expect(judge('p99<10ms').words).toBe('it was 99.02 ms');
    expect(judge('errors<0.1%').words).toBe('it was 1 %');
    expect(judge('rate>=500').words).toBe('it was 99 a second');
  });

  it.each([
    'p99',
    'p99<50',
    'p99<50%',
    'p101<5ms',
    'p99=50ms',
    'rate>=5ms',
    'offer.rate>5',
    'errors<5ms',
    'nothing.p99<5ms',
    'latency<5ms',
    '',
    'p99<50ms extra',
  ])('refuses %j with what would be right', (text) => {
    expect(() => parseThreshold(text)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }));
  });
});
