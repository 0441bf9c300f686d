/**
 * The script of a report page. `drawCharts` runs in the browser: its source is put into the page as it stands, so it refers to nothing
 * outside itself but its parameters. The interfaces are the few parts of the browser it uses.
 */

import type { Chart } from './chart.ts';

interface BrowserElement {
  readonly clientWidth: number;
  textContent: string | null;
  replaceChildren(): void;
}

interface Plot {
  setSize(size: { readonly width: number; readonly height: number }): void;
  destroy(): void;
}

export interface Browser {
  readonly document: {
    readonly documentElement: BrowserElement;
    getElementById(id: string): BrowserElement | null;
  };
  getComputedStyle(element: BrowserElement): { getPropertyValue(name: string): string };
  matchMedia(query: string): { addEventListener(type: 'change', listener: () => void): void };
  addEventListener(type: 'resize' | 'beforeprint', listener: () => void): void;
  readonly uPlot: new (options: object, data: readonly (readonly (number | null)[])[], into: BrowserElement) => Plot;
}

export function drawCharts(browser: Browser): void {
  const root = browser.document.documentElement;
  const charts = JSON.parse(browser.document.getElementById('charts')!.textContent ?? '[]') as Chart[];
  const plots: { readonly plot: Plot; readonly element: BrowserElement }[] = [];
  const colour = (name: string): string => browser.getComputedStyle(root).getPropertyValue(name).trim();
  const heightFor = (width: number): number => Math.round(Math.max(200, Math.min(300, width * 0.5)));

  const shortNumber = (value: number): string => {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
    if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
    return String(+value.toPrecision(size >= 1_000 ? 4 : 3));
  };
  const elapsed = (seconds: number): string => {
    const sign = seconds < 0 ? '−' : '';
    const size = Math.abs(seconds);
    const rest = +(size % 60).toFixed(1);
    return size < 60 ? `${sign}${rest} s` : `${sign}${Math.floor(size / 60)}:${String(rest).padStart(2, '0')}`;
  };
  const percentile = (x: number): string => `p${+(100 * (1 - 1 / x)).toPrecision(7)}`;

  const showX = (chart: Chart, x: number | null): string => {
    if (x === null) return '–';
    if (chart.xKind === 'elapsed') return elapsed(x);
    if (chart.xKind === 'percentile') return percentile(+x.toPrecision(4));
    if (chart.xKind === 'index') return chart.xLabels?.[Math.round(x)] ?? '';
    return shortNumber(x);
  };

  const xAxisOf = (chart: Chart): object => {
    if (chart.xKind === 'percentile') {
      const last = chart.x.at(-1) ?? 1;
      const splits = [1, 2, 10, 100, 1_000, 10_000, 100_000, 1_000_000].filter((at) => at <= last * 1.001);
      return {
        splits: () => splits,
        values: (_: unknown, at: number[]) => at.map((x) => (x === 1 ? '' : percentile(x))),
        filter: (_: unknown, at: number[]) => at,
      };
    }
    if (chart.xKind === 'index') {
      return {
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500],
        values: (_: unknown, at: number[]) => at.map((x) => (Number.isInteger(x) ? showX(chart, x) : '')),
      };
    }
    return { values: (_: unknown, at: number[]) => at.map((x) => showX(chart, x)) };
  };

  const draw = (): void => {
    for (const { plot } of plots.splice(0)) plot.destroy();
    const text = colour('--muted');
    const grid = { stroke: colour('--grid'), width: 1 };
    const axis = { stroke: text, grid, ticks: { ...grid, size: 5 }, font: '12px system-ui, sans-serif' };
    for (const chart of charts) {
      const element = browser.document.getElementById(chart.id);
      if (element === null) continue;
      element.replaceChildren();
      const width = element.clientWidth;
      const plot = new browser.uPlot(
        {
          width,
          height: heightFor(width),
          scales: {
            x: { time: false, ...(chart.xKind === 'percentile' ? { distr: 3 } : {}) },
            y: chart.yLog ? { distr: 3 } : { range: (_: unknown, __: number, most: number) => [0, (most || 1) * 1.08] },
          },
          axes: [
            { ...axis, ...xAxisOf(chart), space: chart.xKind === 'percentile' ? 1 : 60 },
            {
              ...axis,
              size: 52,
              label: chart.yUnit === 'ms' ? 'milliseconds' : chart.yUnit === '/s' ? 'a second' : chart.yUnit,
              labelSize: 18,
              labelFont: axis.font,
              values: (_: unknown, at: (number | null)[]) => at.map((y) => (y === null ? '' : shortNumber(y))),
            },
          ],
          series: [
            {
              label: { elapsed: 'time', percentile: 'percentile', number: 'at', index: 'run' }[chart.xKind],
              value: (_: unknown, x: number | null) => showX(chart, x),
            },
            ...chart.series.map((series) => {
              const stroke = colour(`--series-${series.colour}`);
              return {
                label: series.label,
                stroke,
                width: 2,
                ...(series.dashed === true ? { dash: [6, 4] } : {}),
                ...(series.filled === true ? { fill: `${stroke}22` } : {}),
                points: { show: chart.x.length < 30, size: 5 },
                spanGaps: false,
                value: (_: unknown, y: number | null) => (y === null ? '–' : `${shortNumber(y)} ${chart.yUnit}`),
              };
            }),
          ],
          cursor: { points: { size: 7 }, drag: { x: false, y: false } },
        },
        [chart.x, ...chart.series.map((series) => series.values)],
        element,
      );
      plots.push({ plot, element });
    }
  };
  const resize = (): void => {
    for (const { plot, element } of plots) {
      const width = element.clientWidth;
      plot.setSize({ width, height: heightFor(width) });
    }
  };
  draw();
  browser.addEventListener('resize', resize);
  browser.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}
