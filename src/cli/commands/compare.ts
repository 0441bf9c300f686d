/** `sallyport compare`: two stored results side by side. */

import { writeFile } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import { SallyportError } from '../../errors.ts';
import {
  COMPARISON_RULES,
  type Comparison,
  change,
  compareMeasures,
  type MeasureComparison,
  type Verdict,
} from '../../load/comparison.ts';
import { renderComparisonPage } from '../../load/page/comparison-page.ts';
import { readStoredResult, type StoredResult } from '../../load/stored-result.ts';
import { formatNumber } from '../../load/wording.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import type { Output, TextFormat } from '../output.ts';

interface Options {
  readonly leastEffect: number;
  readonly significance: number;
  readonly html?: string;
  readonly failIfWorse?: boolean;
}

export const registerCompare: Register = (parent, invocation) => {
  const compare = parent
    .command('compare')
    .description('compare two stored results of load or of the benchmarks: what changed, and how sure that is')
    .argument('<before>', 'a file written by "load --save" or "npm run bench:ci"')
    .argument('<after>', 'another one of the same kind')
    .addOption(
      new Option('--least-effect <percent>', 'a smaller change does not matter')
        .argParser(percent(0.1, 100))
        .default(COMPARISON_RULES.leastEffect, '5%'),
    )
    .addOption(
      new Option('--significance <percent>', 'the chance of calling anything changed that is not')
        .argParser(percent(0.001, 20))
        .default(COMPARISON_RULES.significance, '1%'),
    )
    .option('--html <file>', 'write the comparison as one self-contained page')
    .option('--fail-if-worse', `exit with ${EXIT.THRESHOLD} when a measure is worse`)
    .addOption(jsonOption());
  withExamples(compare, [
    ['sallyport compare monday.json tuesday.json', 'in words and as a table'],
    ['sallyport compare base.json head.json --least-effect 10% --fail-if-worse', 'as a gate'],
  ]);
  onAction<Options>(compare, invocation, async ([beforePath, afterPath], options, output) => {
    const before = await readStoredResult(beforePath!);
    const after = await readStoredResult(afterPath!);
    if (before.schema !== after.schema) {
      throw new SallyportError('BAD_FILE', `${before.name} is a ${before.schema} and ${after.name} a ${after.schema}`);
    }
    const comparison = compareMeasures(before.measures, after.measures, {
      leastEffect: options.leastEffect,
      significance: options.significance,
    });
    if (options.html !== undefined) await writeFile(options.html, renderComparisonPage(before, after, comparison));
    if (output.json) output.document({ before: heading(before), after: heading(after), ...comparison });
    else report(before, after, comparison, options.html, output);
    const worse = comparison.measures.some((measure) => measure.verdict === 'worse');
    return options.failIfWorse === true && worse ? EXIT.THRESHOLD : EXIT.OK;
  });
};

function heading({ name, measuredAt, doubts }: StoredResult) {
  return { name, measuredAt, doubts };
}

const STYLE: Readonly<Record<Verdict, TextFormat | undefined>> = {
  better: 'green',
  worse: 'red',
  same: undefined,
  unclear: 'yellow',
};

function report(
  before: StoredResult,
  after: StoredResult,
  comparison: Comparison,
  page: string | undefined,
  output: Output,
): void {
  for (const each of [before, after]) {
    for (const words of each.doubts) output.warn(`${each.name} rejects itself: ${words}`);
  }
  output.table<MeasureComparison>(
    [
      { title: 'measure', value: (row) => row.name },
      { title: 'before', align: 'right', value: (row) => `${formatNumber(row.before)} ${row.unit}` },
      { title: 'after', align: 'right', value: (row) => `${formatNumber(row.after)} ${row.unit}` },
      { title: 'change', align: 'right', value: (row) => change(row.ratio) },
      { title: 'verdict', value: (row) => row.verdict, format: (row) => STYLE[row.verdict] },
    ],
    comparison.measures,
    'The two results have no measure in common.',
  );
  output.line();
  for (const row of comparison.measures) output.line(`${row.name}: ${row.words}.`);
  if (comparison.onlyBefore.length > 0) output.note(`Only in ${before.name}: ${comparison.onlyBefore.join(', ')}`);
  if (comparison.onlyAfter.length > 0) output.note(`Only in ${after.name}: ${comparison.onlyAfter.join(', ')}`);
  if (page !== undefined) output.note(`The page is ${page}.`);
}

/** Reads 5% or 5 as 0.05. */
function percent(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be from ${min}% to ${max}%.`);
    return value / 100;
  };
}
