/** One measured quantity with the samples behind it: what load results and benchmark results have in common, and what is compared. */

export interface Measure {
  /** Unique within a result: "whole p99", "modexp ffdhe3072". */
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** The value reported. */
  readonly value: number;
  /** Repeated readings of the same quantity, in order of time. */
  readonly samples: readonly number[];
  /** What stands for the samples: the median, or the mean where rare events count (errors) or a total is meant (rates). */
  readonly statistic: 'median' | 'mean';
  /** Counts that are the same in every run of the same program: any difference is a change. */
  readonly exact: boolean;
  /** Whether neighbouring samples depend on each other, as the intervals of one run do. */
  readonly inSeries: boolean;
}
