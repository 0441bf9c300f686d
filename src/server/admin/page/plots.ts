/**
 * The plots of the last minutes. `createPlots` runs in the browser: its source is put into the page as it stands, so it refers to nothing
 * outside itself but its parameters.
 */

import type { Sample } from '../status-board.ts';
import type { Browser, PageElement, Plot } from './browser.ts';

export interface PlotSeries {
  readonly label: string;
  /** A number of the sample, or the place in its p99Ms. */
  readonly from: Exclude<keyof Sample, 'p99Ms' | 'timeMs'> | number;
  /** One of the page's colours, 1 to 6. */
  readonly colour: number;
  readonly dash?: readonly number[];
}

export interface PlotPlan {
  /** Of the element it is drawn into; ID-table is the body of the table with the same numbers. */
  readonly id: string;
  readonly unit: string;
  readonly log?: boolean;
  readonly series: readonly PlotSeries[];
}

export interface Plots {
  /** Oldest sample first. */
  update(history: readonly Sample[]): void;
  /** After a change of size or colours. */
  redraw(): void;
}

export function createPlots(browser: Browser, plans: readonly PlotPlan[]): Plots {
  const { document } = browser;
  const TABLE_ROWS = 15;
  const SPAN_SECONDS_MIN = 60;
  const shown = { history: [] as readonly Sample[], plots: new Map<string, Plot>() };

  const colour = (name: string): string =>
    browser.getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (value: number | null): string => {
    if (value === null) return '–';
    if (value >= 10_000) return `${+(value / 1_000).toPrecision(3)}k`;
    return String(+value.toPrecision(3));
  };
  const clock = (seconds: number): string => {
    const time = new Date(seconds * 1_000);
    return [time.getHours(), time.getMinutes(), time.getSeconds()]
      .map((part) => String(part).padStart(2, '0'))
      .join(':');
  };
  const numberIn = (sample: Sample, { from }: PlotSeries): number | null =>
    typeof from === 'number' ? (sample.p99Ms[from] ?? null) : sample[from];
  const columnsOf = (plan: PlotPlan): (number | null)[][] => [
    shown.history.map(({ timeMs }) => timeMs / 1_000),
    ...plan.series.map((series) => shown.history.map((sample) => numberIn(sample, series))),
  ];

  const draw = (plan: PlotPlan, into: PageElement): Plot => {
    into.replaceChildren();
    const grid = { stroke: colour('--grid'), width: 1 };
    const axis = { stroke: colour('--muted'), grid, ticks: { ...grid, size: 4 }, font: '12px system-ui, sans-serif' };
    return new browser.uPlot(
      {
        width: into.clientWidth,
        height: into.clientWidth < 480 ? 180 : 210,
        scales: {
          // At least a minute, so that a young server's plot does not stretch a second over the page.
          x: {
            range: (_: unknown, first: number | null, last: number | null) => [
              Math.min(first ?? 0, (last ?? 0) - SPAN_SECONDS_MIN),
              last ?? 0,
            ],
          },
          y: plan.log
            ? { distr: 3 }
            : { range: (_: unknown, __: number, most: number | null) => [0, Math.max(1, (most ?? 0) * 1.1)] },
        },
        axes: [
          { ...axis, space: 80, values: (_: unknown, at: number[]) => at.map(clock) },
          {
            ...axis,
            // On a logarithmic scale a line for each power of ten is enough.
            grid: {
              ...grid,
              filter: (_: unknown, at: number[]) =>
                plan.log ? at.map((y) => (Math.log10(y) % 1 === 0 ? y : null)) : at,
            },
            size: 48,
            values: (_: unknown, at: (number | null)[]) => at.map((y) => (y === null ? '' : number(y))),
          },
        ],
        series: [
          { label: 'at', value: (_: unknown, x: number | null) => (x === null ? '–' : clock(x)) },
          ...plan.series.map((series) => ({
            label: series.label,
            stroke: colour(`--series-${series.colour}`),
            width: 2,
            ...(series.dash === undefined ? {} : { dash: series.dash }),
            points: { show: plan.log === true, size: 3 },
            value: (_: unknown, y: number | null) => (y === null ? '–' : `${number(y)} ${plan.unit}`),
          })),
        ],
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      },
      columnsOf(plan),
      into,
    );
  };

  /** The legend holds the latest values, unless a pointer asks for others. */
  const showLatest = (plan: PlotPlan): void => {
    const plot = shown.plots.get(plan.id)!;
    // After uPlot's own microtask, which empties the legend.
    void Promise.resolve().then(() => {
      if ((plot.cursor.left ?? -1) < 0) plot.setLegend({ idx: shown.history.length - 1 });
    });
  };
  const row = (cells: readonly string[]): PageElement => {
    const tr = document.createElement('tr');
    cells.forEach((text, index) => {
      const cell = document.createElement(index === 0 ? 'th' : 'td');
      if (index === 0) cell.setAttribute('scope', 'row');
      cell.textContent = text;
      tr.append(cell);
    });
    return tr;
  };
  const fillTable = (plan: PlotPlan): void => {
    const details = document.getElementById(`${plan.id}-details`)!;
    if (!details.open) return;
    const latest = shown.history.slice(-TABLE_ROWS).reverse();
    document
      .getElementById(`${plan.id}-table`)!
      .replaceChildren(
        ...latest.map((sample) =>
          row([clock(sample.timeMs / 1_000), ...plan.series.map((series) => number(numberIn(sample, series)))]),
        ),
      );
  };

  for (const plan of plans)
    document.getElementById(`${plan.id}-details`)!.addEventListener('toggle', () => fillTable(plan));

  return {
    update: (history) => {
      shown.history = history;
      for (const plan of plans) {
        const plot = shown.plots.get(plan.id);
        if (plot === undefined) shown.plots.set(plan.id, draw(plan, document.getElementById(plan.id)!));
        else plot.setData(columnsOf(plan));
        showLatest(plan);
        fillTable(plan);
      }
    },
    redraw: () => {
      for (const plan of plans) {
        shown.plots.get(plan.id)?.destroy();
        shown.plots.set(plan.id, draw(plan, document.getElementById(plan.id)!));
        showLatest(plan);
      }
    },
  };
}
