/**
 * `npm run bench:ci`: every benchmark as a ratio to a reference in the same run, every count, all gates, all formats.
 *
 *   --out DIR         where the files go (default: bench-results)
 *   --baseline FILE   a result of an unchanged build on this machine: ratios are compared with it
 *   --history FILE    JSON lines to append this run to
 *   --short           fewer rounds, no sockets: under half a minute
 *   --only TEXT       benchmarks whose name contains it
 *   --update-counts   write the counts of this run into gates.json, to be committed with the change that explains them
 *   --no-opinion      do not ask a fresh process about a gate that fails
 *   --no-gates        measure and write, judge nothing (the run that becomes a baseline)
 */

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  BENCH_RESULT_SCHEMA,
  BENCH_RESULT_VERSION,
  type BenchEntry,
  type BenchResult,
  readBenchResult,
} from '../../src/load/bench-result.ts';
import { measureConfirmed } from './confirm.ts';
import { coreOperationCounts } from './counts/core-operations.ts';
import { ledgerCommitCounts } from './counts/ledger-commits.ts';
import { sessionCounts } from './counts/session-counts.ts';
import {
  toBencher,
  toBiggerIsBetter,
  toCsv,
  toGoBenchmark,
  toJunit,
  toMarkdown,
  toSmallerIsBetter,
} from './formats.ts';
import { judge, readGateRules, updateCounts } from './gate.ts';
import { appendHistory } from './history.ts';
import { measureRatio, RATIO_SETTINGS } from './ratio.ts';
import { secondOpinion } from './second-opinion.ts';
import type { BenchPair } from './subject.ts';
import { kernelPairs } from './subjects/kernels.ts';
import { ledgerPairs } from './subjects/ledger.ts';
import { portPairs } from './subjects/ports.ts';
import { recordPairs } from './subjects/records.ts';
import { handshakePairs, sessionPairs } from './subjects/sessions.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** A quarter of the rounds: wide intervals, but the gross is seen. */
const SHORT = { ...RATIO_SETTINGS, rounds: 12, noiseRounds: 8 };

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'bench-results') },
    baseline: { type: 'string' },
    history: { type: 'string' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    'update-counts': { type: 'boolean', default: false },
    'no-opinion': { type: 'boolean', default: false },
    'no-gates': { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  // Ledgers are made there too: on the disk of the checkout, not in a temporary directory that may be memory.
  mkdirSync(options.out, { recursive: true });
  const baseline =
    options.baseline === undefined
      ? undefined
      : readBenchResult(JSON.parse(readFileSync(options.baseline, 'utf8')), options.baseline);
  const benches: BenchEntry[] = [];
  const chosen = (name: string): boolean => name.includes(options.only);
  for (const group of await pairs()) {
    for (const pair of group) {
      if (chosen(pair.name)) {
        const settings = options.short ? SHORT : RATIO_SETTINGS;
        const entry = options['no-gates']
          ? await measureRatio(pair, settings)
          : await measureConfirmed(pair, settings, readGateRules(), baseline);
        benches.push(entry);
        console.log(
          `${pair.name}: ${entry.median.toFixed(3)} x ${pair.reference} (${entry.low.toFixed(3)} to ${entry.high.toFixed(3)}; A/A noise ${(entry.noiseFloor * 100).toFixed(1)} %)`,
        );
      }
      await pair.close?.();
    }
  }
  for (const count of [
    ...coreOperationCounts(),
    ...ledgerCommitCounts(options.out),
    ...(options.short ? [] : sessionCounts(options.out)),
  ]) {
    if (!chosen(count.name)) continue;
    const value = await count.count();
    benches.push({ kind: 'count', name: count.name, what: count.what, unit: count.unit, value });
    console.log(`${count.name}: ${value} ${count.unit}`);
  }
  if (options['update-counts']) updateCounts(benches);
  if (!options['no-gates'] && !options['no-opinion']) askAgain(benches, baseline);
  const result: BenchResult = {
    schema: BENCH_RESULT_SCHEMA,
    version: BENCH_RESULT_VERSION,
    product: (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }).version,
    commit: commit(),
    measuredAt: new Date().toISOString(),
    environment: {
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
    },
    benches,
    gates: options['no-gates'] ? [] : judge({ benches }, readGateRules(), baseline),
  };
  write(result);
  if (options.history !== undefined) appendHistory(options.history, result);
  report(result);
}

/** Puts the entry of a fresh process in the place of one whose gate fails, where that one passes. */
function askAgain(benches: BenchEntry[], baseline: BenchResult | undefined): void {
  const failing = judge({ benches }, readGateRules(), baseline).filter((gate) => !gate.passed);
  for (const { name } of failing) {
    const at = benches.findIndex((bench) => bench.name === name);
    if (benches[at]!.kind === 'count') continue;
    console.log(`${name}: its gate fails; asking a fresh process`);
    const args = [
      ...(options.short ? ['--short'] : []),
      ...(options.baseline === undefined ? [] : ['--baseline', options.baseline]),
    ];
    const other = secondOpinion(name, args);
    if (other !== undefined) benches[at] = other;
  }
}

/** In groups, so that what one group holds open does not disturb the next. */
async function pairs(): Promise<readonly (readonly BenchPair[])[]> {
  const inProcess = [await kernelPairs(), recordPairs(), portPairs(), await handshakePairs()];
  if (options.short) return inProcess;
  return [...inProcess, await ledgerPairs(options.out), await sessionPairs(options.out)];
}

function write(result: BenchResult): void {
  const files: Readonly<Record<string, string>> = {
    'result.json': JSON.stringify(result),
    'result.csv': toCsv(result),
    'smaller-is-better.json': JSON.stringify(toSmallerIsBetter(result), null, 2),
    'bigger-is-better.json': JSON.stringify(toBiggerIsBetter(result), null, 2),
    'bencher.json': JSON.stringify(toBencher(result), null, 2),
    'benchstat.txt': toGoBenchmark(result),
    'junit.xml': toJunit(result),
    'summary.md': toMarkdown(result),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(options.out, name), content);
  // GitHub shows what is appended to this file on the job's page.
  const { GITHUB_STEP_SUMMARY: summary } = process.env;
  if (summary !== undefined) appendFileSync(summary, toMarkdown(result));
}

function report(result: BenchResult): void {
  const failed = result.gates.filter((gate) => !gate.passed);
  for (const gate of failed) process.stderr.write(`GATE FAILED  ${gate.name}: ${gate.words}\n`);
  console.log(
    `${result.gates.length - failed.length} of ${result.gates.length} gates passed; files are in ${options.out}`,
  );
  if (failed.length > 0) process.exitCode = 1;
}

function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null; // no checkout
  }
}

await main();
