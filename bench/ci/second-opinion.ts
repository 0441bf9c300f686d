/**
 * A gate that still fails is asked in a process of its own: where the engine and the system happened to place code and tables can cost a
 * tenth for as long as a process lives, which no repetition inside it can show. What is slower in the program is slower in every process.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchEntry, readBenchResult } from '../../src/load/bench-result.ts';

/** Two fresh processes, both of which would have to be unlucky in the same way. */
const OPINIONS = 2;

/** The entry of the first fresh process that passes, or undefined when none does. `args`: what the benchmark program was given. */
export function secondOpinion(name: string, args: readonly string[]): BenchEntry | undefined {
  for (let opinion = 0; opinion < OPINIONS; opinion += 1) {
    const out = mkdtempSync(join(tmpdir(), 'sallyport-opinion-'));
    try {
      const program = join(import.meta.dirname, 'main.ts');
      execFileSync(process.execPath, [program, ...args, '--only', name, '--out', out, '--no-opinion'], {
        stdio: 'ignore',
        env: { ...process.env, GITHUB_STEP_SUMMARY: undefined },
      });
    } catch (failure) {
      // Exit code 1: its gate failed too. Anything else is a fault of the program.
      if ((failure as { readonly status?: number }).status !== 1) throw failure;
    }
    const path = join(out, 'result.json');
    const result = readBenchResult(JSON.parse(readFileSync(path, 'utf8')), path);
    rmSync(out, { recursive: true });
    if (result.gates.find((gate) => gate.name === name)?.passed === true) {
      return result.benches.find((bench) => bench.name === name);
    }
  }
  return undefined;
}
