/** Runs `sallyport load`: customers, run or search, verification, report, files, exit code. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { addressOf } from '../../customer/connection.ts';
import { SallyportError } from '../../errors.ts';
import { capacityPointOf, findCapacity } from '../../load/capacity.ts';
import type { DriverSettings, LoadCustomer } from '../../load/driver.ts';
import type { GeneratorStatus } from '../../load/generator.ts';
import { toCsv, toHdrLog } from '../../load/load-export.ts';
import type { LoadResult } from '../../load/load-result.ts';
import { type LoadPlan, type LoadRun, runLoad } from '../../load/load-run.ts';
import { renderLoadPage } from '../../load/page/load-page.ts';
import { StopSwitch } from '../../load/scheduler.ts';
import { parseThreshold } from '../../load/thresholds.ts';
import { formatNumber } from '../../load/wording.ts';
import { parseWorkload } from '../../load/workload.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { withOperatorState } from '../operator-state.ts';
import type { Output } from '../output.ts';
import { startProgress } from '../progress.ts';
import { enrollForRun, readLoadCustomers, writeLoadCustomers } from './load-customers.ts';
import { openDisplay } from './load-display.ts';
import { COMMAND_DEFAULTS, type LoadOptions, loadOf, serverOf, threadsOf } from './load-options.ts';
import { printReport } from './load-report.ts';
import { verifyLoad } from './load-verification.ts';

/** What a search keeps when nothing else is asked for. */
const CAPACITY_THRESHOLDS = ['p99<100ms', 'errors<0.1%'];
const CAPACITY_PRECISION = 1.05;
const RUN_ID_BYTES = 8;

export async function runLoadCommand(options: LoadOptions, output: Output): Promise<ExitCode> {
  // Everything that can be wrong with the options is said before a customer is enrolled.
  const load = loadOf(options);
  const workload = parseWorkload(options.workload);
  const texts = options.threshold ?? (options.findCapacity === true ? CAPACITY_THRESHOLDS : []);
  const thresholds = texts.map(parseThreshold);
  const customers = await customersOf(options, output);
  if (options.keepCustomers !== undefined) await writeLoadCustomers(options.keepCustomers, customers);
  const threads = threadsOf(options);
  const plan = (shape: LoadPlan['load']): LoadPlan => ({
    product: productVersion(),
    target: addressOf(customers[0]!.identity.server.host, customers[0]!.identity.server.port),
    workload: workload.text,
    load: shape,
    count: options.count,
    warmupSeconds: options.warmUp / 1_000,
    seed: options.seed,
    inFlightMax: options.inFlight,
    customers: customers.length,
    sources: options.source ?? [],
    thresholds,
    driverUrl: new URL(`../../load/driver${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href,
    driverSettings: Array.from(
      { length: threads },
      (): DriverSettings => ({
        customers,
        workload,
        seed: options.seed,
        amount: options.amount,
        currency: options.currency,
        runId: new Uint8Array(randomBytes(RUN_ID_BYTES)),
        sources: options.source ?? [],
      }),
    ),
    keepIntervalHistograms: options.hdr !== undefined,
  });
  const { result, acknowledged } = await interruptible(output, (stop) =>
    options.findCapacity === true
      ? searchCapacity(options, plan, output, stop)
      : runShown(plan(load), `load ${workload.text}`, output, stop),
  );
  const verified = await verificationOf(options, output, customers, acknowledged);
  const whole: LoadResult = { ...result, verification: verified };
  await writeFiles(options, whole);
  if (output.json) output.document(whole);
  else printReport(whole, output);
  return exitCodeOfResult(whole);
}

async function customersOf(options: LoadOptions, output: Output): Promise<LoadCustomer[]> {
  const server = options.server === undefined ? undefined : serverOf(options.server);
  if (options.customersFile !== undefined) {
    const customers = await readLoadCustomers(options.customersFile);
    return server === undefined
      ? customers
      : customers.map((customer) => ({ ...customer, identity: { ...customer.identity, server } }));
  }
  const progress = startProgress(output, 'enrolling', options.customers, 0);
  try {
    return await withOperatorState(options, (state) =>
      enrollForRun(state, {
        count: options.customers,
        currency: options.currency,
        policy: { groups: [options.group], kems: [options.kem] },
        server: server ?? state.firstPort,
        onProgress: (done) => progress.update(done, ''),
      }),
    );
  } finally {
    progress.stop();
  }
}

async function runShown(plan: LoadPlan, title: string, output: Output, stop: StopSwitch): Promise<LoadRun> {
  const display = openDisplay(output, title);
  try {
    return await runLoad(plan, (status: GeneratorStatus) => display.update(status), stop);
  } finally {
    display.stop();
  }
}

async function searchCapacity(
  options: LoadOptions,
  plan: (load: LoadPlan['load']) => LoadPlan,
  output: Output,
  stop: StopSwitch,
): Promise<LoadRun> {
  const acknowledged: Uint8Array[] = [];
  const runs: { readonly rate: number; readonly passed: boolean; readonly run: LoadRun }[] = [];
  const seconds = (options.warmUp + options.probe) / 1_000;
  const capacity = await findCapacity({
    startRate: options.rate ?? COMMAND_DEFAULTS.rate,
    rateMax: options.rateMax,
    precision: CAPACITY_PRECISION,
    stopped: () => stop.stopped,
    probe: async (rate) => {
      const stages = [{ fromRate: rate, toRate: rate, seconds }];
      const run = await runShown(
        plan({ mode: 'open', stages, arrivals: options.arrivals }),
        `capacity: ${formatNumber(rate)} a second`,
        output,
        stop,
      );
      acknowledged.push(...run.acknowledged);
      const point = capacityPointOf(rate, run.result);
      runs.push({ rate, passed: point.passed, run });
      output.note(`${formatNumber(rate)}/s: ${point.passed ? 'kept' : point.words}`);
      return point;
    },
  });
  // The report is that of the best run, with the curve of all.
  const best = runs.findLast((each) => each.passed && each.rate === capacity.rate) ?? runs.at(-1)!;
  return {
    result: {
      ...best.run.result,
      interrupted: stop.stopped,
      capacity: { ...capacity, curve: capacity.curve.map((point) => ({ ...point })) },
    },
    acknowledged,
  };
}

/** The first interrupt ends the starting of operations, and the report follows; the second leaves at once. */
async function interruptible<Result>(output: Output, work: (stop: StopSwitch) => Promise<Result>): Promise<Result> {
  const stop = new StopSwitch();
  const onSignal = (): void => {
    if (stop.stopped) process.exit(EXIT.INTERRUPTED);
    stop.pull();
    output.note('\nstopping: operations under way are waited for; interrupt again to leave at once');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await work(stop);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** Null when there is no ledger at hand: customers from a file make the load from elsewhere, unless --state says where the ledger is. */
async function verificationOf(
  options: LoadOptions,
  output: Output,
  customers: readonly LoadCustomer[],
  acknowledged: readonly Uint8Array[],
): Promise<LoadResult['verification']> {
  const atHand = options.customersFile === undefined || options.state !== undefined;
  if (!options.verify || !atHand || acknowledged.every((ids) => ids.length === 0)) return null;
  output.note('verifying the ledger');
  return verifyLoad(options, customers, acknowledged);
}

async function writeFiles(options: LoadOptions, result: LoadResult): Promise<void> {
  const files: [path: string | undefined, content: () => string][] = [
    [options.save, () => `${JSON.stringify(result)}\n`],
    [options.html, () => renderLoadPage(result)],
    [options.csv, () => toCsv(result)],
    [options.hdr, () => toHdrLog(result)],
  ];
  for (const [path, content] of files) {
    if (path === undefined) continue;
    await writeFile(path, content()).catch((cause: NodeJS.ErrnoException) => {
      throw new SallyportError('BAD_FILE', `${path} cannot be written: ${cause.code ?? cause.message}`, { cause });
    });
  }
}

/** A ledger that lost a payment outweighs everything; a result that must not be trusted has no thresholds to fail. */
function exitCodeOfResult(result: LoadResult): ExitCode {
  const { verification } = result;
  if (verification !== null && !(verification.ledgerVerified && verification.found === verification.acknowledged)) {
    return EXIT.LEDGER;
  }
  if (result.interrupted) return EXIT.INTERRUPTED;
  if (result.rejections.length > 0 || result.capacity?.end === 'generator-limit') return EXIT.UNTRUSTED;
  if (result.capacity === null && result.thresholds.some((threshold) => !threshold.passed)) return EXIT.THRESHOLD;
  if (result.capacity?.rate === 0) return EXIT.THRESHOLD;
  return EXIT.OK;
}

function productVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}
