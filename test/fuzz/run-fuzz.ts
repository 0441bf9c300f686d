/** `npm run fuzz -- --seconds 60 [--target NAME] [--seed N] [--keep]`: fuzzes every target in turn; exit code 1 when a law was broken.
 * The target `planted` has a bug, to show that it is found; with `--unguided` nothing guides the mutations, to show why. */

import { parseArgs } from 'node:util';
import { readCorpus, writeCorpus } from './corpus.ts';
import { fuzz } from './fuzzer.ts';
import { PLANTED, TARGETS } from './targets.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    target: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    unguided: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const targets =
  values.target === 'planted' ? [PLANTED] : TARGETS.filter(({ name }) => [undefined, name].includes(values.target));
const milliseconds = (Number(values.seconds) * 1_000) / Math.max(1, targets.length);
const seed = Number(values.seed);
if (targets.length === 0 || !(milliseconds > 0) || !Number.isInteger(seed)) {
  process.stderr.write(`targets: ${TARGETS.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

process.stdout.write(`seed ${seed}, ${(milliseconds / 1_000).toFixed(1)} s a target\n`);
for (const target of targets) {
  const observed = (url: string): boolean => /\/(src|examples)\/|\/fuzz\/planted\.ts$/.test(url);
  const corpusBefore = readCorpus(target.name);
  const result = fuzz(target, { milliseconds, seed, corpus: corpusBefore, observed, guided: !values.unguided });
  const { executions, places, corpus, finding } = result;
  const line = `${target.name.padEnd(16)} ${String(executions).padStart(9)} runs  ${String(places).padStart(5)} places  ${corpus.length} inputs`;
  process.stdout.write(`${line}\n`);
  if (values.keep) writeCorpus(target.name, [...corpus]);
  if (finding === undefined) continue;
  process.exitCode = 1;
  const { input, error } = finding;
  process.stdout.write(`  ${error.stack}\n  input (base64): ${input.toString('base64')}\n`);
}
