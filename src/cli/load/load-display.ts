/** What is seen while a load runs: a few lines that repaint themselves where a person watches, a plain line now and then elsewhere. */

import type { GeneratorStatus } from '../../load/generator.ts';
import { createHistogram } from '../../load/histogram.ts';
import { formatNs, formatNumber, formatSeconds } from '../../load/wording.ts';
import type { Output } from '../output.ts';

/** Often enough to show life in a log, seldom enough to keep it readable. */
const PLAIN_INTERVAL_SECONDS = 2;
const BAR_WIDTH = 28;
const ERRORS_SHOWN = 3;

export interface LoadDisplay {
  update(status: GeneratorStatus): void;
  /** Takes the repainted lines off the screen. */
  stop(): void;
}

/** `title`: a few words that stand in front. */
export function openDisplay(output: Output, title: string): LoadDisplay {
  if (output.json) return { update: () => {}, stop: () => {} };
  return output.interactive ? new RepaintedLines(output, title) : new PlainLines(output, title);
}

class RepaintedLines implements LoadDisplay {
  readonly #output: Output;
  readonly #title: string;
  readonly #rates = new RecentRates();
  #painted = 0;

  constructor(output: Output, title: string) {
    this.#output = output;
    this.#title = title;
    output.stderr.write('\u001b[?25l');
  }

  update(status: GeneratorStatus): void {
    this.#rates.add(status);
    const lines = liveLines(this.#title, status, this.#rates).map((line) => line.slice(0, this.#output.columns - 1));
    this.#clear();
    this.#output.stderr.write(`${lines.join('\n')}\n`);
    this.#painted = lines.length;
  }

  stop(): void {
    this.#clear();
    this.#output.stderr.write('\u001b[?25h');
  }

  // Cursor up to the first painted line, and everything below it erased (ECMA-48 CUU, ED).
  #clear(): void {
    if (this.#painted > 0) this.#output.stderr.write(`\u001b[${this.#painted}A\u001b[0J`);
    this.#painted = 0;
  }
}

class PlainLines implements LoadDisplay {
  readonly #output: Output;
  readonly #title: string;
  readonly #rates = new RecentRates();
  #shownAt = 0;

  constructor(output: Output, title: string) {
    this.#output = output;
    this.#title = title;
  }

  update(status: GeneratorStatus): void {
    this.#rates.add(status);
    if (status.seconds - this.#shownAt < PLAIN_INTERVAL_SECONDS) return;
    this.#shownAt = status.seconds;
    this.#output.note(plainLine(this.#title, status, this.#rates));
  }

  stop(): void {}
}

/** Rates over the last second. */
export class RecentRates {
  readonly #seen: { readonly seconds: number; readonly started: number; readonly ended: number }[] = [];

  add({ seconds, started, inFlight }: Pick<GeneratorStatus, 'seconds' | 'started' | 'inFlight'>): void {
    this.#seen.push({ seconds, started, ended: started - inFlight });
    while (this.#seen.length > 2 && this.#seen[0]!.seconds < seconds - 1) this.#seen.shift();
  }

  get offered(): number {
    return this.#rate((each) => each.started);
  }

  get reached(): number {
    return this.#rate((each) => each.ended);
  }

  #rate(of: (seen: { readonly started: number; readonly ended: number }) => number): number {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || last.seconds <= first.seconds) return 0;
    return (of(last) - of(first)) / (last.seconds - first.seconds);
  }
}

export function liveLines(title: string, status: GeneratorStatus, rates: RecentRates): string[] {
  const share = Math.min(1, Math.max(0, status.seconds / Math.max(1e-9, status.secondsPlanned)));
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  return [
    `${title}`,
    `  ${bar} ${Math.round(share * 100)} %   ${formatSeconds(Math.max(0, status.seconds))} of ${formatSeconds(status.secondsPlanned)}`,
    `  rate       ${status.rateAsked === undefined ? '' : `asked ${formatNumber(status.rateAsked)}/s   `}offered ${formatNumber(rates.offered)}/s   reached ${formatNumber(rates.reached)}/s`,
    `  sessions   ${formatNumber(status.inFlight)} open${status.held > 0 ? `, ${formatNumber(status.held)} of them held` : ''}   ${formatNumber(status.record.completed)} ended well`,
    `  latency    ${latencyWords(status)}`,
    `  errors     ${errorWords(status)}`,
  ];
}

export function plainLine(title: string, status: GeneratorStatus, rates: RecentRates): string {
  return `${title}: ${formatSeconds(status.seconds)} of ${formatSeconds(status.secondsPlanned)}, offered ${formatNumber(rates.offered)}/s, reached ${formatNumber(rates.reached)}/s, ${formatNumber(status.inFlight)} open, ${latencyWords(status)}, errors ${errorWords(status)}`;
}

function latencyWords({ record }: GeneratorStatus): string {
  const histogram = record.histograms.get('whole') ?? createHistogram();
  if (histogram.totalCount === 0) return 'nothing measured yet';
  return [50, 90, 99]
    .map((p) => `p${p} ${formatNs(histogram.getValueAtPercentile(p))}`)
    .concat(`max ${formatNs(histogram.maxValue)}`)
    .join('   ');
}

function errorWords({ record }: GeneratorStatus): string {
  const codes = Object.entries(record.errors);
  if (codes.length === 0) return 'none';
  const shown = codes.slice(0, ERRORS_SHOWN).map(([code, count]) => `${code} ${formatNumber(count)}`);
  return `${shown.join(', ')}${codes.length > ERRORS_SHOWN ? ', …' : ''}`;
}
