/** What `npm run bench` runs. */

export interface Benchmark {
  readonly name: string;
  /** Beside this file. It takes --json FILE, and ends with another code than 0 when a result is wrong. */
  readonly script: string;
  /** What makes it short. */
  readonly quick: readonly string[];
}

export const BENCHMARKS: readonly Benchmark[] = [
  { name: 'kernels', script: './kernels.ts', quick: ['--rounds', '15'] },
  { name: 'inside', script: './inside.ts', quick: ['--time', '30'] },
  { name: 'sessions', script: './session-cost.ts', quick: ['--quick'] },
  { name: 'scaling', script: './scaling.ts', quick: ['--quick'] },
  { name: 'parts', script: './session-parts.ts', quick: ['--quick'] },
];

/** Those named in `only`, separated by commas, in the order of the list. Throws when one is none of them. */
export function chosenBenchmarks(only: string): Benchmark[] {
  const names = only.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
  if (unknown.length > 0) {
    throw new Error(`no benchmark is named ${unknown.join(', ')}: ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  }
  return BENCHMARKS.filter(({ name }) => names.includes(name));
}
