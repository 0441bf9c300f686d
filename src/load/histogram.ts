/** Latency histograms: hdr-histogram-js with the bounds of this product. Values are nanoseconds. */

import type { Histogram } from 'hdr-histogram-js';
import hdr from 'hdr-histogram-js';

export type { Histogram };

/** An hour: far above every deadline of the protocol. Longer values are counted as this one. */
export const LATENCY_NS_MAX = 3_600_000_000_000;
/** Three significant digits: every value is known to within 0.1 %. */
const SIGNIFICANT_DIGITS = 3;

/** The percentiles every report shows. */
export const PERCENTILES = [50, 75, 90, 95, 99, 99.9, 99.99] as const;

export function createHistogram(): Histogram {
  return hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_NS_MAX,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
    autoResize: false,
    bitBucketSize: 32,
  });
}

export function recordNs(histogram: Histogram, ns: number): void {
  histogram.recordValue(Math.min(LATENCY_NS_MAX, Math.max(0, Math.round(ns))));
}

/** HdrHistogram V2 compressed, base64: what every HDR tool reads. */
export function encodeHistogram(histogram: Histogram): string {
  return hdr.encodeIntoCompressedBase64(histogram);
}

/** Throws when the text is no such histogram. */
export function decodeHistogram(text: string): Histogram {
  return hdr.decodeFromCompressedBase64(text, 32, false);
}

export interface LatencySummary {
  readonly count: number;
  readonly minNs: number;
  readonly meanNs: number;
  readonly maxNs: number;
  /** By the name of the percentile: p50, p75, ... p99.99. */
  readonly percentiles: Readonly<Record<string, number>>;
}

export function summarize(histogram: Histogram): LatencySummary {
  return {
    count: histogram.totalCount,
    minNs: histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(0),
    meanNs: histogram.totalCount === 0 ? 0 : histogram.mean,
    maxNs: histogram.maxValue,
    // A percentile is given as the upper end of its bucket, which can lie a little above the greatest value there was.
    percentiles: Object.fromEntries(
      PERCENTILES.map((p) => [`p${p}`, Math.min(histogram.getValueAtPercentile(p), histogram.maxValue)]),
    ),
  };
}

/** Points of the curve "latency by percentile" on a log axis: x is 1 / (1 - quantile), that is 1, 2, 10, 100, ... */
export function percentileCurve(histogram: Histogram): { readonly x: number; readonly ns: number }[] {
  const total = histogram.totalCount;
  if (total === 0) return [];
  const points: { x: number; ns: number }[] = [];
  // Ten points per factor of ten, up to the last single value.
  for (let step = 0; ; step += 1) {
    const x = 10 ** (step / 10);
    if (x > total * 1.0001) break;
    points.push({ x, ns: histogram.getValueAtPercentile((1 - 1 / x) * 100) });
  }
  return points;
}
