import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TARGETS } from './targets.ts';

/** A short run of the fuzzer, from the kept corpus, in a process of its own: what it fuzzes there is what ships. `npm run fuzz` runs longer. */

interface Run {
  readonly exitCode: number;
  readonly output: string;
}

function runFuzz(...options: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, 'run-fuzz.ts'), ...options], (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

/** Runs and places of a target's line. */
function numbersOf(output: string, target: string): readonly [runs: number, places: number] {
  const match = new RegExp(`^${target}\\s+(\\d+) runs\\s+(\\d+) places`, 'm').exec(output);
  return [Number(match?.[1]), Number(match?.[2])];
}

describe('every reader of strangers’ bytes', () => {
  it('keeps its laws', async () => {
    const { exitCode, output } = await runFuzz('--seconds', '7', '--seed', '1');
    expect(output).not.toContain('input (base64)');
    expect(exitCode).toBe(0);
    for (const { name } of TARGETS) {
      const [runs, places] = numbersOf(output, name);
      expect(runs, name).toBeGreaterThan(20);
      expect(places, name).toBeGreaterThan(10);
    }
  });
});

describe('the fuzzer', () => {
  it('finds a planted bug behind five checks, and does not when its coverage does not guide it', async () => {
    const [guided, unguided] = await Promise.all([
      runFuzz('--target', 'planted', '--seconds', '20', '--seed', '7'),
      runFuzz('--target', 'planted', '--seconds', '3', '--seed', '7', '--unguided'),
    ]);
    expect(guided.exitCode).toBe(1);
    expect(guided.output).toContain('the planted bug');
    expect(unguided.exitCode).toBe(0);
    expect(numbersOf(unguided.output, 'planted')[0]).toBeGreaterThan(0);
  });
});
