/** The report of a load run, for a person. */

import type { LoadResult } from '../../load/load-result.ts';
import { PHASES, type PhaseDescription } from '../../load/phases.ts';
import { formatNs, formatNumber, formatSeconds, formatShare, formatStages } from '../../load/wording.ts';
import type { Output } from '../output.ts';

const COLUMNS = ['p50', 'p90', 'p99', 'p99.9', 'p99.99'] as const;

export function printReport(result: LoadResult, output: Output): void {
  const { settings } = result;
  const total = result.completed + result.failed;
  const load =
    settings.mode === 'open'
      ? `open loop, ${formatStages(settings.stages)}, ${settings.arrivals} arrivals, seed ${settings.seed}`
      : `closed loop, ${settings.customersAtOnce} at once`;
  output.pairs([
    ['workload', `${settings.workload} on ${settings.target}, ${formatNumber(settings.customers)} customers`],
    ['load', load],
    [
      'measured',
      `${formatSeconds(result.seconds)} after ${formatSeconds(settings.warmupSeconds)} of warm-up${result.interrupted ? ' (interrupted)' : ''}`,
    ],
    [
      'rate',
      settings.mode === 'open'
        ? `${formatNumber(result.rate.reached)} reached of ${formatNumber(result.rate.offered)} offered a second`
        : `${formatNumber(result.rate.reached)} a second`,
    ],
    [
      'operations',
      `${formatNumber(result.completed)} of ${formatNumber(total)} ended well${result.payments === 0 ? '' : `, ${formatNumber(result.payments)} payments receipted`}`,
    ],
    ['generator', generatorWords(result)],
  ]);
  output.line();
  printLatencies(result, output);
  printErrors(result, output);
  printCapacity(result, output);
  printVerdicts(result, output);
}

function generatorWords({ generator }: LoadResult): string {
  const busiest = Math.max(0, ...generator.threads.map((thread) => thread.eventLoopUtilization));
  const cost = generator.cpuSecondsPerOperation;
  return `${generator.threads.length} ${generator.threads.length === 1 ? 'thread' : 'threads'}, busiest ${formatShare(busiest)}${cost === null ? '' : `, ${formatNs(cost * 1e9)} of its CPU an operation`}`;
}

function printLatencies(result: LoadResult, output: Output): void {
  const rows = PHASES.filter((phase) => (result.phases[phase.name]?.count ?? 0) > 0);
  output.table<PhaseDescription & { readonly name: (typeof PHASES)[number]['name'] }>(
    [
      { title: 'phase', value: (row) => row.title, format: (row) => (row.name === 'whole' ? 'bold' : undefined) },
      { title: 'count', align: 'right', value: (row) => formatNumber(result.phases[row.name]!.count) },
      ...COLUMNS.map((column) => ({
        title: column,
        align: 'right' as const,
        value: (row: { readonly name: (typeof PHASES)[number]['name'] }) =>
          formatNs(result.phases[row.name]!.percentiles[column]!),
      })),
      { title: 'max', align: 'right', value: (row) => formatNs(result.phases[row.name]!.maxNs) },
    ],
    rows,
    'Nothing was measured.',
  );
}

function printErrors(result: LoadResult, output: Output): void {
  const codes = Object.entries(result.errors);
  if (codes.length === 0) return;
  output.line();
  output.table(
    [
      { title: 'error', value: ([code]: [string, number]) => code },
      { title: 'count', align: 'right', value: ([, count]) => formatNumber(count) },
    ],
    codes,
    '',
  );
}

function printCapacity({ capacity }: LoadResult, output: Output): void {
  if (capacity === null) return;
  output.line();
  output.table(
    [
      {
        title: 'rate',
        align: 'right',
        value: (point: (typeof capacity.curve)[number]) => `${formatNumber(point.rate)}/s`,
      },
      { title: 'reached', align: 'right', value: (point) => `${formatNumber(point.reachedRate)}/s` },
      { title: 'p50', align: 'right', value: (point) => formatNs(point.p50Ns) },
      { title: 'p99', align: 'right', value: (point) => formatNs(point.p99Ns) },
      { title: 'errors', align: 'right', value: (point) => formatShare(point.errorShare) },
      {
        title: '',
        value: (point) => (point.passed ? 'kept' : point.words),
        format: (point) => (point.passed ? 'green' : point.rejected ? 'yellow' : 'red'),
      },
    ],
    capacity.curve,
    '',
  );
  output.line();
  output.line(capacityWords(capacity));
}

function capacityWords({ end, rate }: NonNullable<LoadResult['capacity']>): string {
  const kept = `${formatNumber(rate)} a second kept the thresholds`;
  switch (end) {
    case 'found':
      return `Capacity: ${kept}, and 5 % more did not.`;
    case 'below-start':
      return 'Capacity: not even one a second kept the thresholds.';
    case 'above-max':
      return `Capacity: ${kept}, which is the most that was to be tried (--rate-max).`;
    case 'generator-limit':
      return `Capacity: at least ${formatNumber(rate)} a second; above it this generator was not to be believed (more threads, or another machine, would tell).`;
    default:
      return `Capacity: stopped early; so far ${kept}.`;
  }
}

function printVerdicts(result: LoadResult, output: Output): void {
  output.line();
  for (const threshold of result.thresholds) {
    const mark = threshold.passed ? output.style('green', '✓') : output.style('red', '✗');
    output.line(`${mark} ${threshold.text}: ${threshold.words}`);
  }
  if (result.verification !== null) {
    const good = result.verification.ledgerVerified && result.verification.found === result.verification.acknowledged;
    output.line(`${good ? output.style('green', '✓') : output.style('red', '✗')} ${result.verification.words}`);
  }
  for (const rejection of result.rejections) output.warn(`this result must not be trusted: ${rejection.words}`);
}
