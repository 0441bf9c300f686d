import { XMLValidator } from 'fast-xml-parser';
import { parse as parseJunit } from 'junit2json';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  goName,
  toBencher,
  toBiggerIsBetter,
  toCsv,
  toGoBenchmark,
  toJunit,
  toMarkdown,
  toSmallerIsBetter,
} from '../../bench/ci/formats.ts';
import { readBenchResult } from '../../src/load/bench-result.ts';
import { compareMeasures } from '../../src/load/comparison.ts';
import { storedResultOf } from '../../src/load/stored-result.ts';
import { ratioEntry, resultOf } from './entries.ts';

const RESULT = {
  ...resultOf(ratioEntry(0.9, 1), ratioEntry(2.4, 2, { name: 'sha-256, 1 KiB', reference: 'a | b, "c"\n<d>' }), {
    kind: 'count',
    name: 'bytes sent, payment',
    what: 'bytes in one session',
    unit: 'bytes sent',
    value: 2_225,
  }),
  gates: [
    { name: 'shared value ffdhe3072', passed: true, words: 'fine' },
    { name: 'sha-256, 1 KiB', passed: false, words: 'slower & <worse> "by" 12 %\u0007' },
    { name: 'bytes sent, payment', passed: true, words: 'as expected' },
  ],
};

describe('the formats of one result', () => {
  it('JSON, by its own schema; a wrong one is named', () => {
    expect(readBenchResult(JSON.parse(JSON.stringify(RESULT)), 'r.json')).toEqual(RESULT);
    expect(() => readBenchResult({ ...RESULT, benches: [] }, 'r.json')).toThrow(
      'r.json is no benchmark result: benches',
    );
  });

  it('CSV of RFC 4180: as many fields in every row, quoted where it must be', () => {
    const rows = parseCsv(toCsv(RESULT));
    expect(rows.map((row) => row.length)).toEqual([10, 10, 10, 10]);
    expect(rows[2]![0]).toBe('sha-256, 1 KiB');
    expect(rows[2]![5]).toBe('x a | b, "c"\n<d>');
    expect(rows.map((row) => row[9])).toEqual(['gate', 'passed', 'failed', 'passed']);
  });

  // What github-action-benchmark's extractor takes of its two custom tools: an array of these members, and no others are read.
  const actionSchema = z
    .array(
      z.strictObject({
        name: z.string().min(1),
        unit: z.string().min(1),
        value: z.number(),
        range: z.string().optional(),
        extra: z.string().optional(),
      }),
    )
    .min(1);

  it('github-action-benchmark: smaller is better, and bigger is better', () => {
    const smaller = actionSchema.parse(JSON.parse(JSON.stringify(toSmallerIsBetter(RESULT))));
    expect(smaller.map(({ name }) => name)).toEqual([
      'shared value ffdhe3072',
      'sha-256, 1 KiB',
      'bytes sent, payment',
    ]);
    const bigger = actionSchema.parse(JSON.parse(JSON.stringify(toBiggerIsBetter(RESULT))));
    expect(bigger).toHaveLength(2);
    expect(bigger[0]!.value).toBeCloseTo(1e9 / (2_000_000 * 0.9), 3);
  });

  it('Bencher Metric Format, by the JSON schema that Bencher publishes (bencher.dev/bmf.json)', () => {
    const schema = z.fromJSONSchema({
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      patternProperties: {
        '.+': {
          type: 'object',
          patternProperties: {
            '.+': {
              type: 'object',
              properties: {
                value: { type: 'number' },
                lower_value: { type: 'number' },
                upper_value: { type: 'number' },
              },
              required: ['value'],
            },
          },
        },
      },
    });
    const document = JSON.parse(JSON.stringify(toBencher(RESULT))) as Record<string, Record<string, { value: number }>>;
    expect(schema.safeParse(document).success).toBe(true);
    expect(schema.safeParse({ a: { b: { lower_value: 1 } } }).success).toBe(false);
    expect(document['bytes sent, payment']).toEqual({ count: { value: 2_225 } });
    // Names and slugs have limits there: 1,024 and 64 characters.
    expect(Object.keys(document).every((name) => name.length <= 1_024)).toBe(true);
  });

  it('Go benchmark text, by the rules of its specification: what benchstat reads', () => {
    const text = toGoBenchmark(RESULT);
    const { configuration, results } = parseGoBenchmark(text);
    expect(configuration).toMatchObject({ pkg: 'sallyport', node: '26.10.0', cpu: 'A "CPU" & <more>' });
    expect(results.filter(({ name }) => name === 'BenchmarkSharedValueFfdhe3072')).toHaveLength(40);
    expect(results[0]!.values.map(([, unit]) => unit)).toEqual(['ns/op', 'x-reference/op']);
    expect(results.at(-1)).toEqual({
      name: 'BenchmarkBytesSentPayment',
      iterations: 1,
      values: [[2_225, 'bytes-sent/op']],
    });
    expect(goName('port lease at 90 % occupancy')).toBe('PortLeaseAt90Occupancy');
  });

  it('JUnit, by a consumer: as many cases as gates, and the failure with its words', async () => {
    const xml = toJunit(RESULT);
    expect(XMLValidator.validate(xml)).toBe(true);
    const parsed = await parseJunit(xml);
    if (!parsed || !('testsuite' in parsed)) throw new Error('no test suites');
    expect(parsed).toMatchObject({ tests: 3, failures: 1 });
    const cases = parsed.testsuite![0]!.testcase!;
    expect(cases.map((each) => each.name)).toEqual(RESULT.gates.map((gate) => gate.name));
    expect(cases[1]!.failure![0]!.message).toBe('slower & <worse> "by" 12 %\ufffd');
  });

  it('markdown whose tables stay tables, whatever the names are', () => {
    const lines = toMarkdown(RESULT).split('\n');
    const rows = lines.filter((line) => line.startsWith('|'));
    const cells = (line: string): number => line.replaceAll('\\|', '').split('|').length;
    expect(rows.slice(0, 4).map(cells)).toEqual([9, 9, 9, 9]);
    expect(rows.slice(4).map(cells)).toEqual([5, 5, 5]);
    expect(lines.join('\n')).toContain('**1 of 3 gates failed:**');
  });

  it('and sallyport compare reads it', () => {
    const stored = storedResultOf(JSON.parse(JSON.stringify(RESULT)), 'r.json');
    const { measures } = compareMeasures(stored.measures, stored.measures);
    expect(measures.map((measure) => measure.verdict)).toEqual(['same', 'same', 'same']);
  });
});

/** RFC 4180, with quoted fields and line breaks in them. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)!.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
  }
  return rows.filter((row) => row.length > 0);
}

/** golang.org/design/14313-benchmark-format; strict where it says "must". */
function parseGoBenchmark(text: string) {
  const configuration: Record<string, string> = {};
  const results: { name: string; iterations: number; values: [number, string][] }[] = [];
  for (const line of text.split('\n')) {
    const key = /^([^\s\p{Lu}]+):(?:\s+(.*))?$/u.exec(line);
    if (key !== null) configuration[key[1]!] = key[2] ?? '';
    if (!line.startsWith('Benchmark')) continue;
    const fields = line.split(/\s+/);
    if (fields.length < 4 || fields.length % 2 !== 0) throw new Error(`not an even number of fields: ${line}`);
    if (!/^Benchmark[A-Z]/.test(fields[0]!)) throw new Error(`no capital letter after Benchmark: ${line}`);
    const values: [number, string][] = [];
    for (let at = 2; at < fields.length; at += 2) {
      const value = Number(fields[at]);
      if (!Number.isFinite(value)) throw new Error(`no number: ${line}`);
      values.push([value, fields[at + 1]!]);
    }
    const iterations = Number(fields[1]);
    if (!Number.isInteger(iterations)) throw new Error(`no number of iterations: ${line}`);
    results.push({ name: fields[0]!, iterations, values });
  }
  return { configuration, results };
}
