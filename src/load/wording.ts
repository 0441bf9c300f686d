/** Numbers and settings in the words of reports. */

import type { Stage } from './load-shape.ts';

/** Three significant digits with the unit that suits: 812 µs, 3.41 ms, 1.2 s. */
export function formatNs(ns: number): string {
  if (ns < 1e3) return `${digits(ns)} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)} µs`;
  if (ns < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

/** Whole from 1000 on, with thin spaces between thousands; else three significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  if (Math.abs(value) < 1_000) return digits(value);
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** 0.125 as 12.5 %. */
export function formatShare(share: number): string {
  return `${digits(share * 100)} %`;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${digits(seconds * 1_000)} ms`;
  if (seconds < 120) return `${digits(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function formatStages(stages: readonly Stage[]): string {
  return stages
    .map(({ fromRate, toRate, seconds }) =>
      fromRate === toRate
        ? `${formatNumber(fromRate)}/s for ${formatSeconds(seconds)}`
        : `${formatNumber(fromRate)} to ${formatNumber(toRate)}/s in ${formatSeconds(seconds)}`,
    )
    .join(', ');
}
