/** The history of benchmark results: JSON lines, one run a line, without the samples. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { BenchResult } from '../../src/load/bench-result.ts';

const lineSchema = z.object({
  measuredAt: z.iso.datetime(),
  commit: z.string().nullable(),
  cpu: z.string(),
  node: z.string(),
  values: z.record(z.string(), z.number()),
});

export type HistoryLine = z.infer<typeof lineSchema>;

export function historyLineOf(result: BenchResult): HistoryLine {
  return {
    measuredAt: result.measuredAt,
    commit: result.commit,
    cpu: result.environment.cpu,
    node: result.environment.node,
    values: Object.fromEntries(
      result.benches.map((bench) => [bench.name, bench.kind === 'ratio' ? bench.median : bench.value]),
    ),
  };
}

/** One write, so that lines of two jobs never mix. */
export function appendHistory(path: string, result: BenchResult): void {
  appendFileSync(path, `${JSON.stringify(historyLineOf(result))}\n`);
}

/** In the file's order; empty when there is no file. Throws with the line's number when one is not right. */
export function readHistory(path: string): HistoryLine[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text, index) => {
      if (text.trim() === '') return [];
      try {
        return [lineSchema.parse(JSON.parse(text))];
      } catch (cause) {
        throw new Error(`${path}:${index + 1} is no line of the history`, { cause });
      }
    });
}
