/** The page of the history: every benchmark over the runs. */

import { change } from '../../src/load/comparison.ts';
import type { Chart } from '../../src/load/page/chart.ts';
import { renderPage } from '../../src/load/page/document.ts';
import { html } from '../../src/load/page/html.ts';
import { median } from '../../src/load/statistics.ts';
import { formatNumber } from '../../src/load/wording.ts';
import type { HistoryLine } from './history.ts';

/** The newest run is shown against the median of so many before it. */
const RECENT = 10;

export function renderTrendPage(history: readonly HistoryLine[]): string {
  const names = [...new Set(history.flatMap((line) => Object.keys(line.values)))];
  const machines = [...new Set(history.map((line) => line.cpu))];
  const labels = history.map((line) => line.commit?.slice(0, 8) ?? line.measuredAt.slice(0, 10));
  const charts = names.map(
    (name, index): Chart => ({
      id: `trend-${index}`,
      x: history.map((_, run) => run),
      xKind: 'index',
      xLabels: labels,
      yUnit: '',
      yLog: false,
      // One line a machine: a ratio of another processor is another quantity.
      series: machines.slice(0, 8).map((cpu, at) => ({
        label: machines.length === 1 ? 'value' : cpu,
        colour: at + 1,
        values: history.map((line) => (line.cpu === cpu ? (line.values[name] ?? null) : null)),
      })),
    }),
  );
  const last = history.at(-1);
  const body = html`
<h1>Benchmarks over time</h1>
<p class="sub">${history.length} runs${last === undefined ? '' : `, the last on ${last.measuredAt.slice(0, 10)}`} · lower is better · ratios to work done in turns in the same process, and exact counts</p>
${history.length === 0 ? html`<p>There are no runs yet: npm run bench:ci adds one.</p>` : html``}
<div class="grid">${names.map((name, index) => html`<section class="card"><h2>${name}</h2><p class="note">${summary(history, name)}</p><div id="trend-${index}"></div></section>`)}</div>`;
  return renderPage({ title: 'Benchmarks over time', body, charts });
}

function summary(history: readonly HistoryLine[], name: string): string {
  const newest = history.findLast((line) => line.values[name] !== undefined);
  if (newest === undefined) return '';
  const before = history
    .filter((line) => line !== newest && line.cpu === newest.cpu && line.values[name] !== undefined)
    .slice(-RECENT)
    .map((line) => line.values[name]!);
  const value = formatNumber(newest.values[name]!);
  if (before.length === 0) return value;
  return `${value}, ${change(newest.values[name]! / median(before))} against the median of the ${before.length} runs before`;
}
