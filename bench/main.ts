/**
 * Every benchmark of the server's speed, one after another, each as JSON in one directory.
 *
 *   npm run bench [-- --quick] [--out bench-results/bench] [--only kernels,inside,sessions,scaling,parts]
 *
 * --quick looks at everything, for under three minutes; its figures are rough. Each benchmark checks its results; the first that finds one
 * wrong ends the run with exit code 1. docs/BENCHMARKS.md says what each measures.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BENCHMARKS, chosenBenchmarks } from './benchmark-list.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: join('bench-results', 'bench') },
    only: { type: 'string', default: BENCHMARKS.map(({ name }) => name).join(',') },
  },
});

mkdirSync(values.out, { recursive: true });
const begun = performance.now();
for (const { name, script, quick } of chosenBenchmarks(values.only)) {
  const file = join(values.out, `${name}.json`);
  console.log(`\n=== ${name}\n`);
  const parameters = [...(values.quick ? quick : []), '--json', file];
  const { status, error } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL(script, import.meta.url)), ...parameters],
    {
      stdio: 'inherit',
    },
  );
  if (status !== 0) {
    console.error(`\n${name} failed (${error?.message ?? `exit code ${status}`}): what it printed above says why`);
    process.exit(1);
  }
  console.log(`\n${file}`);
}
console.log(`\nall in ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);
