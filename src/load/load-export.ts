/** A load result in the formats of other tools. */

import hdr from 'hdr-histogram-js';
import { decodeHistogram } from './histogram.ts';
import type { LoadResult } from './load-result.ts';
import { PHASE_NAMES } from './phases.ts';

/** RFC 4180, one row an interval; times in milliseconds, empty where nothing was measured. */
export function toCsv(result: LoadResult): string {
  const codes = Object.keys(result.errors);
  const columns = ['p50', 'p90', 'p99', 'max'] as const;
  const header = [
    'at_s',
    'length_s',
    'due',
    'completed',
    'failed',
    'payments',
    ...PHASE_NAMES.flatMap((phase) => columns.map((column) => `${phase}_${column}_ms`)),
    ...codes.map((code) => `error_${code}`),
  ];
  const rows = result.intervals.map((interval) => [
    interval.atSeconds,
    interval.seconds,
    interval.due,
    interval.completed,
    interval.failed,
    interval.payments,
    ...PHASE_NAMES.flatMap((name) => {
      const phase = interval.phases[name];
      return columns.map((column) => (phase === undefined ? '' : phase[`${column}Ns`] / 1e6));
    }),
    ...codes.map((code) => interval.errors[code] ?? 0),
  ]);
  return [header, ...rows].map((row) => `${row.map((value) => csvField(String(value))).join(',')}\r\n`).join('');
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** HdrHistogram log format 1.3, nanoseconds, maxima shown in milliseconds; one tag a phase: what HDR plotters and jHiccup read. */
export function toHdrLog(result: LoadResult): string {
  const lines: string[] = [];
  const writer = new hdr.HistogramLogWriter((text) => lines.push(text));
  const startedMs = Date.parse(result.startedAt);
  writer.outputComment(`[Logged by sallyport ${result.product}; values in nanoseconds]`);
  writer.outputLogFormatVersion();
  lines.push(`#[StartTime: ${(startedMs / 1_000).toFixed(3)} (seconds since epoch), ${result.startedAt}]\n`);
  writer.outputLegend();
  for (const interval of result.intervals) {
    for (const phase of PHASE_NAMES) {
      const encoded = interval.phases[phase]?.histogram;
      if (encoded === undefined) continue;
      const histogram = decodeHistogram(encoded);
      histogram.tag = phase;
      // The log's times run from the warm-up's beginning: they are never negative.
      const start = interval.atSeconds + result.settings.warmupSeconds;
      writer.outputIntervalHistogram(histogram, start, start + interval.seconds, 1e6);
    }
  }
  return lines.join('');
}
