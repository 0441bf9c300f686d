import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The kept inputs, one file a target, one line of base64 an input: small, readable in a diff, and never a binary file. */
const FOLDER = join(import.meta.dirname, 'corpus');
/** Of one target: enough for the deep places, little enough to keep. */
const INPUTS_MAX = 48;
const INPUT_BYTES_MAX = 2_048;

function pathOf(target: string): string {
  return join(FOLDER, `${target}.txt`);
}

export function readCorpus(target: string): Buffer[] {
  if (!readdirSync(FOLDER).includes(`${target}.txt`)) return [];
  const lines = readFileSync(pathOf(target), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
}

/** Keeps the shortest, each once. */
export function writeCorpus(target: string, inputs: readonly Buffer[]): void {
  mkdirSync(FOLDER, { recursive: true });
  const kept = [...new Map(inputs.map((input) => [createHash('sha256').update(input).digest('hex'), input])).values()]
    .filter(({ length }) => length > 0 && length <= INPUT_BYTES_MAX)
    .toSorted((a, b) => a.length - b.length)
    .slice(0, INPUTS_MAX);
  if (kept.length === 0) rmSync(pathOf(target), { force: true });
  else writeFileSync(pathOf(target), `${kept.map((input) => input.toString('base64')).join('\n')}\n`);
}
