import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { factsOf } from '../../../src/cli/demo/facts.ts';
import { type LaneEntry, Lanes, wrap } from '../../../src/cli/demo/lanes.ts';
import { CUSTOMER_STEPS, SERVER_STEPS, textOfStep } from '../../../src/cli/demo/method-text.ts';
import { decodeTracedStep, encodeTracedStep } from '../../../src/cli/trace.ts';

const plain = (_format: unknown, text: string): string => text;

function entry(side: LaneEntry['side'], changes: Partial<LaneEntry> = {}): LaneEntry {
  return { side, number: 7, title: 'does something', facts: [], remark: undefined, sends: false, ...changes };
}

describe('lanes', () => {
  it('put the customer left and the server right, arrows between, names and values below', () => {
    const lanes = new Lanes(100, plain);
    const facts: LaneEntry['facts'] = [
      ['g', '02'],
      ['second port', '20117'],
    ];
    expect(lanes.entry(entry('customer', { sends: true, facts }))).toEqual([
      ' 7  does something                             ────▶',
      '    g            02',
      '    second port  20117',
    ]);
    const right = ' '.repeat(53);
    expect(lanes.entry(entry('server', { sends: true, remark: 'masked' }))).toEqual([
      `${' '.repeat(46)} ◀────  7  does something`,
      `${right}    masked`,
    ]);
  });

  it('stand below each other on a narrow terminal', () => {
    const lanes = new Lanes(60, plain);
    expect(lanes.heading('left', 'right')).toEqual([]);
    expect(lanes.entry(entry('customer'))).toEqual(['customer   7  does something']);
    expect(lanes.entry(entry('server'))).toEqual(['server     7  does something']);
  });

  it('never exceed the terminal, whatever is said', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '…', '\x1b'), maxLength: 200 });
    fc.assert(
      fc.property(
        fc.integer({ min: 40, max: 140 }),
        fc.constantFrom('customer' as const, 'server' as const),
        text,
        text,
        (columns, side, title, value) => {
          const lines = new Lanes(columns, plain).entry(
            entry(side, { title, facts: [['name', value]], remark: title, sends: true }),
          );
          for (const line of lines) {
            expect(line.length).toBeLessThanOrEqual(Math.min(columns, 100));
            expect(line).not.toContain('\x1b');
          }
        },
      ),
    );
  });

  it('lose nothing when they wrap', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 30 }), (text, width) => {
        const lines = wrap(text, width);
        expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('steps', () => {
  it('all have words, different on each side', () => {
    for (const steps of [CUSTOMER_STEPS, SERVER_STEPS]) {
      const titles = Object.values(steps).map(({ title }) => title);
      expect(new Set(titles).size).toBe(titles.length);
    }
    expect(textOfStep('server', 'some-new-step')).toEqual({ title: 'some new step' });
  });

  it('show values shortened, and leave out what says nothing', () => {
    expect(
      factsOf({
        secondPort: 20117,
        secondHost: '',
        p: 'ffffffff…ffffffff (384 bytes)',
        transaction: '4f43ef80bc54ad1a8993802fbb46b97e',
        contentType: 'application/vnd.sallyport.transfer+json',
        again: 'no',
      }),
    ).toEqual([
      ['second port', '20117'],
      ['p', 'ffffffff…ffffffff (3072 bits)'],
      ['transaction', '4f43ef80…bb46b97e'],
      ['document', 'transfer+json'],
    ]);
  });

  it('travel as lines, and other lines are passed over', () => {
    const step = {
      at: 123_456_789_012_345n,
      side: 'server' as const,
      step: 'offer-sent',
      detail: { g: '02', secondPort: 20117 },
    };
    expect(decodeTracedStep(encodeTracedStep(step).trimEnd())).toEqual(step);
    for (const line of [
      '',
      'oops',
      '[]',
      'null',
      '{"at":"1","side":"left","step":"x","detail":{}}',
      '{"at":"x","side":"server","step":"x","detail":{}}',
    ]) {
      expect(decodeTracedStep(line), line).toBeUndefined();
    }
  });
});
