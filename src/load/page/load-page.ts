/** The page of a load run. */

import { decodeHistogram, percentileCurve } from '../histogram.ts';
import type { LoadResult } from '../load-result.ts';
import { PHASES, type Phase, titleOf } from '../phases.ts';
import { formatNs, formatNumber, formatShare, formatStages } from '../wording.ts';
import type { Chart, ChartSeries } from './chart.ts';
import { renderPage } from './document.ts';
import { type Html, html } from './html.ts';

const COLOUR_OF: Readonly<Record<Phase, number>> = {
  connect: 5,
  offer: 2,
  connect2: 6,
  exchange: 3,
  identity: 7,
  commit: 4,
  whole: 1,
  lag: 8,
};

export function renderLoadPage(result: LoadResult): string {
  const charts = [
    throughputChart(result),
    latencyChart(result),
    percentileChart(result),
    ...phaseCharts(result),
    ...errorCharts(result),
    ...capacityCharts(result),
  ];
  const title = `Load: ${result.settings.workload} on ${result.settings.target}`;
  const body = html`
<h1>${title}</h1>
<p class="sub">${result.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')} · ${describeLoad(result)} · Sallyport ${result.product}</p>
${banners(result)}
${tiles(result)}
<div class="grid">
${chartCard('throughput', 'Throughput', 'Operations a second: due, ended well, and failed.')}
${chartCard('latency', 'Latency over time', 'From the intended start to the last answer, so a stall is seen by everyone who came in it.')}
${chartCard('percentiles', 'Latency by percentile', 'Each step to the right leaves a tenth of the operations: the tail is as wide as the middle.')}
${phaseBars(result)}
${result.intervals.length > 1 ? chartCard('phases', 'Phases over time', 'Median of each phase.') : html``}
${errorCard(result)}
${result.capacity === null ? html`` : chartCard('capacity', 'Capacity', `The highest rate that kept the thresholds: ${formatNumber(result.capacity.rate)} a second.`)}
</div>
${latencyTable(result)}
${settingsCard(result)}`;
  return renderPage({ title, body, charts });
}

function describeLoad(result: LoadResult): string {
  const { settings } = result;
  if (settings.mode === 'closed') return `closed loop, ${settings.customersAtOnce ?? 0} customers at once`;
  return `open loop, ${formatStages(settings.stages)}, ${settings.arrivals === 'even' ? 'evenly spaced' : 'Poisson'} arrivals`;
}

function banners(result: LoadResult): Html {
  const rejected =
    result.rejections.length === 0
      ? html``
      : html`<div class="banner doubt" role="alert"><strong>Do not trust this result: the generator was the limit.</strong><ul>${result.rejections.map((rejection) => html`<li>${rejection.words}</li>`)}</ul></div>`;
  const failed = result.thresholds.filter((threshold) => !threshold.passed);
  const thresholds =
    result.thresholds.length === 0
      ? html``
      : failed.length === 0
        ? html`<div class="banner good"><strong>All ${result.thresholds.length} thresholds kept:</strong> ${result.thresholds.map((each) => each.text).join(', ')}</div>`
        : html`<div class="banner bad" role="alert"><strong>${failed.length} of ${result.thresholds.length} thresholds failed.</strong><ul>${failed.map((each) => html`<li>${each.text}: ${each.words}</li>`)}</ul></div>`;
  const verification =
    result.verification === null
      ? html``
      : html`<div class="banner ${result.verification.ledgerVerified && result.verification.found === result.verification.acknowledged ? 'good' : 'bad'}">${result.verification.words}</div>`;
  const interrupted = result.interrupted
    ? html`<div class="banner doubt">The run was interrupted; this is what was done until then.</div>`
    : html``;
  return html`${rejected}${thresholds}${verification}${interrupted}`;
}

function tiles(result: LoadResult): Html {
  const whole = result.phases.whole;
  const total = result.completed + result.failed;
  const tile = (value: string, label: string, kind = ''): Html =>
    html`<div class="tile"><b class="${kind}">${value}</b><span>${label}</span></div>`;
  return html`<div class="tiles">
${tile(`${formatNumber(result.rate.reached)}/s`, result.settings.mode === 'open' ? `reached, of ${formatNumber(result.rate.offered)}/s offered` : 'reached')}
${whole === undefined ? html`` : ['p50', 'p99', 'p99.9'].map((p) => tile(formatNs(whole.percentiles[p]!), p))}
${whole === undefined ? html`` : tile(formatNs(whole.maxNs), 'slowest')}
${tile(formatShare(total === 0 ? 0 : result.failed / total), `errors, ${formatNumber(result.failed)} of ${formatNumber(total)}`, result.failed === 0 ? 'good' : 'bad')}
${result.payments === 0 ? html`` : tile(formatNumber(result.payments), 'payments receipted')}
</div>`;
}

function chartCard(id: string, title: string, note: string): Html {
  return html`<section class="card"><h2>${title}</h2><p class="note">${note}</p><div id="${id}"></div></section>
`;
}

/** Without the one that the run's end cut short: its rates would look like a fall. */
function intervalsOf(result: LoadResult): LoadResult['intervals'] {
  const last = result.intervals.at(-1);
  const cut =
    last !== undefined && result.intervals.length > 1 && last.atSeconds + last.seconds > result.seconds + 1e-6;
  return cut ? result.intervals.slice(0, -1) : result.intervals;
}

function elapsedOf(result: LoadResult): number[] {
  return intervalsOf(result).map((interval) => interval.atSeconds);
}

function throughputChart(result: LoadResult): Chart {
  const perSecond = (pick: 'due' | 'completed' | 'failed'): number[] =>
    intervalsOf(result).map((interval) => interval[pick] / interval.seconds);
  const series: ChartSeries[] = [];
  if (result.settings.mode === 'open') series.push({ label: 'due', colour: 7, values: perSecond('due'), dashed: true });
  series.push({ label: 'ended well', colour: 1, values: perSecond('completed'), filled: true });
  series.push({ label: 'failed', colour: 8, values: perSecond('failed') });
  return { id: 'throughput', x: elapsedOf(result), xKind: 'elapsed', yUnit: '/s', yLog: false, series };
}

function latencyChart(result: LoadResult): Chart {
  const reading = (key: 'p50Ns' | 'p90Ns' | 'p99Ns' | 'maxNs'): (number | null)[] =>
    intervalsOf(result).map((interval) => msOrNull(interval.phases.whole?.[key]));
  return {
    id: 'latency',
    x: elapsedOf(result),
    xKind: 'elapsed',
    yUnit: 'ms',
    yLog: true,
    series: [
      { label: 'max', colour: 7, values: reading('maxNs'), dashed: true },
      { label: 'p99', colour: 2, values: reading('p99Ns') },
      { label: 'p90', colour: 6, values: reading('p90Ns') },
      { label: 'p50', colour: 1, values: reading('p50Ns') },
    ],
  };
}

/** A log axis has no zero. */
function msOrNull(ns: number | undefined): number | null {
  return ns === undefined || ns <= 0 ? null : ns / 1e6;
}

function shownPhases(result: LoadResult): Phase[] {
  return PHASES.map((phase) => phase.name).filter((name) => name !== 'lag' && (result.phases[name]?.count ?? 0) > 0);
}

function percentileChart(result: LoadResult): Chart {
  const curves = shownPhases(result).map((phase) => ({
    phase,
    points: new Map(
      percentileCurve(decodeHistogram(result.phases[phase]!.histogram)).map((point) => [point.x, point.ns]),
    ),
  }));
  const x = [...new Set(curves.flatMap((curve) => [...curve.points.keys()]))].sort((a, b) => a - b);
  return {
    id: 'percentiles',
    x,
    xKind: 'percentile',
    yUnit: 'ms',
    yLog: true,
    series: curves.map(({ phase, points }) => ({
      label: titleOf(phase),
      colour: COLOUR_OF[phase],
      values: x.map((at) => msOrNull(points.get(at))),
    })),
  };
}

function phaseCharts(result: LoadResult): Chart[] {
  if (result.intervals.length < 2) return [];
  return [
    {
      id: 'phases',
      x: elapsedOf(result),
      xKind: 'elapsed',
      yUnit: 'ms',
      yLog: true,
      series: shownPhases(result).map((phase) => ({
        label: titleOf(phase),
        colour: COLOUR_OF[phase],
        values: intervalsOf(result).map((interval) => msOrNull(interval.phases[phase]?.p50Ns)),
      })),
    },
  ];
}

function phaseBars(result: LoadResult): Html {
  const phases = shownPhases(result);
  const widest = Math.max(1, ...phases.map((phase) => result.phases[phase]!.percentiles.p99!));
  const width = (ns: number): string => `${((100 * ns) / widest).toFixed(2)}%`;
  return html`<section class="card"><h2>Phases</h2><p class="note">Median (dark) and 99th percentile (light) of each part of an operation.</p>
<div class="bars">${phases.map((phase) => {
    const { p50, p99 } = result.phases[phase]!.percentiles as { p50: number; p99: number };
    return html`<div class="bar"><span>${titleOf(phase)}</span><span class="track"><span class="p99" style="width:${width(p99)}"></span><span class="p50" style="width:${width(p50)}"></span></span><span class="number">${formatNs(p50)} / ${formatNs(p99)}</span></div>`;
  })}</div></section>
`;
}

function errorCard(result: LoadResult): Html {
  const codes = Object.entries(result.errors);
  if (codes.length === 0) return html`<section class="card"><h2>Errors</h2><p class="good">None.</p></section>`;
  return html`<section class="card"><h2>Errors</h2><div id="errors"></div>
<table class="names">${codes.map(([code, count]) => html`<tr><td>${code}</td><td>${formatNumber(count)}</td></tr>`)}</table></section>`;
}

function errorCharts(result: LoadResult): Chart[] {
  const codes = Object.keys(result.errors);
  if (codes.length === 0) return [];
  return [
    {
      id: 'errors',
      x: elapsedOf(result),
      xKind: 'elapsed',
      yUnit: '/s',
      yLog: false,
      series: codes.slice(0, 8).map((code, index) => ({
        label: code,
        colour: ((index + 7) % 8) + 1,
        values: intervalsOf(result).map((interval) => (interval.errors[code] ?? 0) / interval.seconds),
      })),
    },
  ];
}

function capacityCharts(result: LoadResult): Chart[] {
  if (result.capacity === null) return [];
  // A rate measured twice shows the later reading.
  const points = [...new Map(result.capacity.curve.map((point) => [point.rate, point])).values()];
  return [
    {
      id: 'capacity',
      x: points.map((point) => point.rate),
      xKind: 'number',
      yUnit: 'ms',
      yLog: true,
      series: [
        { label: 'p99', colour: 2, values: points.map((point) => msOrNull(point.p99Ns)) },
        { label: 'p50', colour: 1, values: points.map((point) => msOrNull(point.p50Ns)) },
      ],
    },
  ];
}

function latencyTable(result: LoadResult): Html {
  const columns = ['p50', 'p75', 'p90', 'p95', 'p99', 'p99.9', 'p99.99'];
  const rows = PHASES.filter((phase) => (result.phases[phase.name]?.count ?? 0) > 0);
  return html`<section class="card"><h2>Latencies</h2><div class="scroll"><table>
<tr><th>phase</th><th>count</th><th>min</th><th>mean</th>${columns.map((column) => html`<th>${column}</th>`)}<th>max</th></tr>
${rows.map((phase) => {
  const latency = result.phases[phase.name]!;
  return html`<tr><td title="${phase.meaning}">${phase.title}</td><td>${formatNumber(latency.count)}</td><td>${formatNs(latency.minNs)}</td><td>${formatNs(latency.meanNs)}</td>${columns.map((column) => html`<td>${formatNs(latency.percentiles[column]!)}</td>`)}<td>${formatNs(latency.maxNs)}</td></tr>`;
})}
</table></div></section>`;
}

function settingsCard(result: LoadResult): Html {
  const { settings, environment, generator } = result;
  const busiest = Math.max(0, ...generator.threads.map((thread) => thread.eventLoopUtilization));
  const pairs: [string, string][] = [
    ['target', settings.target],
    ['workload', settings.workload],
    ['load', describeLoad(result)],
    ['customers', formatNumber(settings.customers)],
    ['warm-up', `${settings.warmupSeconds} s`],
    ['measured', `${formatNumber(result.seconds)} s`],
    ['seed', String(settings.seed)],
    [
      'generator',
      `${settings.threads} ${settings.threads === 1 ? 'thread' : 'threads'}, busiest event loop ${formatShare(busiest)}${generator.cpuSecondsPerOperation === null ? '' : `, ${formatNs(generator.cpuSecondsPerOperation * 1e9)} of CPU an operation`}`,
    ],
    ['source addresses', settings.sources.join(', ') || 'chosen by the system'],
    ['machine', `${environment.cpu}, ${environment.cores} cores, Node ${environment.node} on ${environment.platform}`],
  ];
  return html`<section class="card"><h2>Settings</h2><dl>${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`;
}
