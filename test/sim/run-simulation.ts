/**
 * `npm run sim -- [--sessions 1000000] [--seed N] [--workers N] [--json]`: fleets of sessions under simulated network, clock and disk.
 * `--fleet SEED [--trace]` runs one fleet again; `--bug NAME` plants a bug. Exit code 0: every promise held; 1: one was broken, and its fleet's
 * seed is printed; 2: wrong arguments.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { loadCachedCrypto } from './cached-crypto.ts';
import { type FleetResult, runFleet } from './fleet.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { type RunTotals, runSimulation } from './simulation-run.ts';

const HELP = `npm run sim -- [options]

  --sessions N   sessions to begin (default 100000)
  --seed N       of the run; the same seed gives the same run (default: the time)
  --workers N    threads (default: one for each core)
  --fleet SEED   runs this one fleet again, as a failing run says
  --trace        with --fleet: tells what happens
  --bug NAME     plants a bug for the checkers to find: ${PLANTED_BUGS.map(({ name }) => name).join(', ')}
  --json         one JSON document instead of text
`;

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    workers: { type: 'string', default: String(availableParallelism()) },
    fleet: { type: 'string' },
    bug: { type: 'string' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const planted = PLANTED_BUGS.find(({ name }) => name === values.bug);
const numbers = [values.sessions, values.seed, values.workers, values.fleet ?? '0'].map(Number);
if (values.help) process.stdout.write(HELP);
else if (numbers.some((number) => !Number.isSafeInteger(number) || number < 0) || numbers[0] === 0 || numbers[2] === 0)
  refuse('sessions, seed, workers and fleet are whole numbers');
else if (values.bug !== undefined && planted === undefined) refuse(`there is no bug ${values.bug} to plant`);
else if (values.fleet !== undefined) await runOne(Number(values.fleet));
else await runMany();

function refuse(what: string): void {
  process.stderr.write(`${what}\n\n${HELP}`);
  process.exitCode = 2;
}

async function runOne(seed: number): Promise<void> {
  const trace = values.trace ? { trace: (line: string) => void process.stdout.write(`${line}\n`) } : {};
  const bugs = planted === undefined ? {} : { bugs: planted.bugs };
  const result = await runFleet(await loadCachedCrypto(), seed, { ...trace, ...bugs });
  if (values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else {
    process.stdout.write(
      `fleet ${seed}: ${result.counts.sessions} sessions, ${result.events} events, digest ${result.digest}\n`,
    );
    process.stdout.write(table(result.counts));
    tellFailure(result.violations.length > 0 ? result : undefined);
  }
  if (result.violations.length > 0) process.exitCode = 1;
}

async function runMany(): Promise<void> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1_000;
  const live = process.stderr.isTTY === true && !values.json;
  const faultsOf = ({ counts }: RunTotals): number =>
    Object.entries(counts).reduce((sum, [what, times]) => sum + (what.startsWith('fault: ') ? times : 0), 0);
  const onProgress = (totals: RunTotals): void => {
    if (!live) return;
    const rate = Math.round(totals.sessions / seconds());
    process.stderr.write(
      `\r${grouped(totals.sessions)} sessions, ${grouped(rate)}/s, ${grouped(faultsOf(totals))} faults \x1b[K`,
    );
  };
  const seed = Number(values.seed);
  const run = { seed, sessions: Number(values.sessions), workers: Number(values.workers), bug: values.bug, onProgress };
  const { totals, failure } = await runSimulation(run);
  if (live) process.stderr.write('\r\x1b[K');
  const { user, system } = process.cpuUsage();
  const cpuSeconds = (user + system) / 1e6;
  if (values.json) {
    const command = failure === undefined ? null : commandOf(failure);
    const document = { seed, ...totals, seconds: seconds(), cpuSeconds, failure: failure ?? null, command };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else {
    process.stdout.write(
      `seed ${seed}: ${grouped(totals.sessions)} sessions in ${grouped(totals.fleets)} fleets, ${grouped(totals.events)} events, ` +
        `${(totals.virtualMs / 3_600_000).toFixed(1)} simulated hours\n` +
        `${seconds().toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU: ${((cpuSeconds * 1e6) / totals.sessions).toFixed(0)} us a session\n`,
    );
    process.stdout.write(table(totals.counts));
    tellFailure(failure);
  }
  if (failure !== undefined) process.exitCode = 1;
}

function tellFailure(failure: FleetResult | undefined): void {
  if (failure === undefined) {
    process.stdout.write('\nevery promise held\n');
    return;
  }
  process.stdout.write(`\nFAILED: fleet ${failure.seed}\n`);
  for (const violation of failure.violations) process.stdout.write(`  ${violation}\n`);
  process.stdout.write(`again: ${commandOf(failure)}\n`);
}

function commandOf({ seed }: FleetResult): string {
  return `npm run sim -- --fleet ${seed} --trace${values.bug === undefined ? '' : ` --bug ${values.bug}`}`;
}

function table(counts: Readonly<Record<string, number>>): string {
  return Object.keys(counts)
    .sort()
    .map((what) => `  ${what.padEnd(36)} ${grouped(counts[what]!).padStart(14)}\n`)
    .join('');
}

function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
