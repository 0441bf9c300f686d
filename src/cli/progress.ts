/** How far a long command is: a bar where a person watches, a plain line now and then where a log collects, nothing under --json. */

import cliProgress from 'cli-progress';
import type { Output } from './output.ts';

/** Often enough to show life in a log, seldom enough to keep it readable. */
const PLAIN_INTERVAL_MS = 5_000;

export interface Progress {
  /** `remark` is a few words that stand behind the count. */
  update(done: number, remark: string): void;
  /** Leaves the last state on the screen. */
  stop(): void;
}

/** `now` is the clock in milliseconds. */
export function startProgress(output: Output, label: string, total: number, done: number, now = Date.now): Progress {
  if (output.json) return { update: () => {}, stop: () => {} };
  return output.interactive ? startBar(output, label, total, done) : startLines(output, label, total, done, now);
}

function startBar(output: Output, label: string, total: number, done: number): Progress {
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {percentage}%  {value}/{total}  {remark}`,
    barsize: Math.max(10, Math.min(40, output.columns - label.length - 40)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // Interrupts are the command's to handle: what was sent must still be receipted.
    gracefulExit: false,
    stream: output.stderr,
  });
  bar.start(total, done, { remark: '' });
  return { update: (value, remark) => bar.update(value, { remark }), stop: () => bar.stop() };
}

function startLines(output: Output, label: string, total: number, done: number, now: () => number): Progress {
  let state = { done, remark: '' };
  let shown = -1;
  let shownAt = now();
  const show = (): void => {
    if (shown === state.done) return;
    shown = state.done;
    shownAt = now();
    output.note(`${label}: ${state.done} of ${total}${state.remark === '' ? '' : `, ${state.remark}`}`);
  };
  return {
    update: (value, remark) => {
      state = { done: value, remark };
      if (now() - shownAt >= PLAIN_INTERVAL_MS) show();
    },
    stop: show,
  };
}
