/** One benchmark result in the formats of other tools. */

import type { BenchEntry, BenchResult } from '../../src/load/bench-result.ts';

/** RFC 4180. */
export function toCsv(result: BenchResult): string {
  const header = ['name', 'kind', 'value', 'low', 'high', 'unit', 'subject_ns', 'reference_ns', 'noise_floor', 'gate'];
  const rows = result.benches.map((bench) => {
    const gate = gateOf(result, bench);
    const passed = gate === undefined ? '' : gate.passed ? 'passed' : 'failed';
    return bench.kind === 'ratio'
      ? [
          bench.name,
          'ratio',
          bench.median,
          bench.low,
          bench.high,
          `x ${bench.reference}`,
          bench.subjectNs,
          bench.referenceNs,
          bench.noiseFloor,
          passed,
        ]
      : [bench.name, 'count', bench.value, '', '', bench.unit, '', '', '', passed];
  });
  return [header, ...rows].map((row) => `${row.map((value) => csvField(String(value))).join(',')}\r\n`).join('');
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

interface ActionEntry {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly range?: string;
  readonly extra?: string;
}

/** github-action-benchmark, tool `customSmallerIsBetter`: ratios and counts. */
export function toSmallerIsBetter(result: BenchResult): ActionEntry[] {
  return result.benches.map((bench) =>
    bench.kind === 'ratio'
      ? {
          name: bench.name,
          unit: `x ${bench.reference}`,
          value: bench.median,
          range: `${bench.low.toFixed(3)} to ${bench.high.toFixed(3)}`,
          extra: `${bench.what}\nnoise floor ${(bench.noiseFloor * 100).toFixed(1)} %`,
        }
      : { name: bench.name, unit: bench.unit, value: bench.value, extra: bench.what },
  );
}

/** github-action-benchmark, tool `customBiggerIsBetter`: iterations per second of what was timed. */
export function toBiggerIsBetter(result: BenchResult): ActionEntry[] {
  return result.benches.flatMap((bench) =>
    bench.kind === 'ratio'
      ? [{ name: bench.name, unit: 'ops/s', value: 1e9 / bench.subjectNs, extra: bench.what }]
      : [],
  );
}

type BencherMeasure = { readonly value: number; readonly lower_value?: number; readonly upper_value?: number };

/** Bencher Metric Format: benchmark name -> measure slug -> value with bounds. */
export function toBencher(result: BenchResult): Record<string, Record<string, BencherMeasure>> {
  return Object.fromEntries(
    result.benches.map((bench) => [
      bench.name,
      bench.kind === 'ratio'
        ? {
            ratio: { value: bench.median, lower_value: bench.low, upper_value: bench.high },
            latency: { value: bench.subjectNs },
          }
        : { count: { value: bench.value } },
    ]),
  );
}

/** Go's benchmark data format (golang.org/design/14313-benchmark-format), one line a sample, so that benchstat has what to test. */
export function toGoBenchmark(result: BenchResult): string {
  const lines = [
    `pkg: sallyport`,
    ...(result.commit === null ? [] : [`commit: ${result.commit}`]),
    `node: ${result.environment.node}`,
    `cpu: ${result.environment.cpu}`,
    '',
  ];
  for (const bench of result.benches) {
    const name = `Benchmark${goName(bench.name)}`;
    if (bench.kind === 'count') lines.push(`${name} 1 ${bench.value} ${bench.unit.replaceAll(/\s+/g, '-')}/op`);
    else
      for (const sample of bench.samples)
        lines.push(`${name} ${bench.iterations} ${sample * bench.referenceNs} ns/op ${sample} x-reference/op`);
  }
  return `${lines.join('\n')}\n`;
}

/** "record seal, 256 B" as RecordSeal256B: a capital after `Benchmark`, no spaces. */
export function goName(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
}

/** JUnit XML (the Jenkins schema): one test case a gate. */
export function toJunit(result: BenchResult): string {
  const failures = result.gates.filter((gate) => !gate.passed).length;
  const cases = result.gates.map((gate) => {
    const open = `    <testcase name="${xml(gate.name)}" classname="bench" time="0">`;
    return gate.passed
      ? `${open}<system-out>${xml(gate.words)}</system-out></testcase>`
      : `${open}<failure message="${xml(gate.words)}" type="gate"></failure></testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="sallyport bench" tests="${result.gates.length}" failures="${failures}" errors="0" time="0">`,
    `  <testsuite name="gates" tests="${result.gates.length}" failures="${failures}" errors="0" skipped="0" time="0" timestamp="${result.measuredAt.slice(0, 19)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

// XML 1.0 §2.2: most control characters cannot be written at all, not even escaped.
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** For a job's summary page or a pull request's comment. */
export function toMarkdown(result: BenchResult): string {
  const failed = result.gates.filter((gate) => !gate.passed);
  const head =
    failed.length === 0
      ? `All ${result.gates.length} gates passed.`
      : `**${failed.length} of ${result.gates.length} gates failed:**\n\n${failed.map((gate) => `- **${cell(gate.name)}**: ${cell(gate.words)}`).join('\n')}`;
  const ratios = result.benches.filter((bench) => bench.kind === 'ratio');
  const counts = result.benches.filter((bench) => bench.kind === 'count');
  return [
    '## Benchmarks',
    '',
    head,
    '',
    '| benchmark | times the reference | 95 % interval | noise floor | one iteration | reference | gate |',
    '|---|--:|--:|--:|--:|---|---|',
    ...ratios.map(
      (bench) =>
        `| ${cell(bench.name)} | ${bench.median.toFixed(3)} | ${bench.low.toFixed(3)} to ${bench.high.toFixed(3)} | ${(bench.noiseFloor * 100).toFixed(1)} % | ${microseconds(bench.subjectNs)} | ${cell(bench.reference)} | ${mark(result, bench)} |`,
    ),
    '',
    '| count | value | gate |',
    '|---|--:|---|',
    ...counts.map((bench) => `| ${cell(bench.name)} | ${bench.value} ${cell(bench.unit)} | ${mark(result, bench)} |`),
    '',
    `Node ${result.environment.node} on ${cell(result.environment.cpu)} (${result.environment.cores} cores)${result.commit === null ? '' : `, commit ${result.commit.slice(0, 12)}`}. Ratios are to work done in turns in the same process; docs/BENCHMARKS.md says how to read them.`,
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/[\r\n]+/g, ' ');
}

function mark(result: BenchResult, bench: BenchEntry): string {
  const gate = gateOf(result, bench);
  return gate === undefined ? '' : gate.passed ? 'passed' : '**FAILED**';
}

function gateOf(result: BenchResult, bench: BenchEntry) {
  return result.gates.find((gate) => gate.name === bench.name);
}

function microseconds(ns: number): string {
  return ns >= 1e6 ? `${(ns / 1e6).toFixed(2)} ms` : `${(ns / 1e3).toFixed(2)} µs`;
}
