/** What a chart on a page shows; drawn in the browser by draw-charts.ts. */

export interface ChartSeries {
  readonly label: string;
  /** One of the page's colours, 1 to 8. */
  readonly colour: number;
  /** One value for each x; null where there is none. */
  readonly values: readonly (number | null)[];
  readonly dashed?: boolean;
  readonly filled?: boolean;
}

export interface Chart {
  /** Of the element it is drawn into. */
  readonly id: string;
  readonly x: readonly number[];
  /** elapsed: seconds as 0:30; percentile: 1 / (1 - quantile) on a log axis; number: as it is; index: positions with `xLabels`. */
  readonly xKind: 'elapsed' | 'percentile' | 'number' | 'index';
  readonly xLabels?: readonly string[];
  readonly yUnit: string;
  readonly yLog: boolean;
  readonly series: readonly ChartSeries[];
}
