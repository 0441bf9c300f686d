/** What the demo tells, in order; every part throws DemoFailure, with its name, when it does not come true. */

import { readFile } from 'node:fs/promises';
import type { Output } from '../output.ts';
import type { TracedStep } from '../trace.ts';
import { factsOf } from './facts.ts';
import { type LaneEntry, Lanes } from './lanes.ts';
import { textOfStep } from './method-text.ts';
import { DemoFailure, type ServingAnnouncement, type Stage } from './stage.ts';

const AMOUNT = '12.50';

/** The steps without which the method was not shown. */
const REQUIRED: readonly (readonly [side: TracedStep['side'], step: string])[] = [
  ['customer', 'connecting'],
  ['server', 'offer-sent'],
  ['customer', 'offer-checked'],
  ['customer', 'moving'],
  ['customer', 'customer-value-sent'],
  ['customer', 'shared-value-made'],
  ['server', 'customer-value-received'],
  ['server', 'shared-value-made'],
  ['customer', 'keys-made'],
  ['server', 'keys-made'],
  ['server', 'profile-compared'],
  ['customer', 'transaction-sent'],
  ['server', 'transaction-decrypted'],
  ['server', 'transaction-processed'],
  ['customer', 'receipt-received'],
];

interface Paid {
  readonly transactionId: string;
  readonly status: string;
  readonly sequence: string;
}

interface Accounts {
  readonly accounts: readonly { readonly id: string; readonly balance: string; readonly currency: string }[];
}

export async function tellStory(stage: Stage, output: Output): Promise<void> {
  const began = performance.now();
  output.line(output.style('bold', 'Sallyport demo'));
  output.line('One security server and its customers, each a process of its own. Everything below happened on the');
  output.line('wire, in this order. Secrets are masked, long values abbreviated.');

  section('The stage', output);
  const serving = await stage.startServer();
  await setTheStage(stage, serving, output);
  stage.takeSteps();

  section(`Alice pays Bob ${AMOUNT} EUR: every step of the method`, output);
  const paid = await payWithEveryStep(stage, serving, output);

  section('And then', output);
  await payAgain(stage, paid, output);
  await payBack(stage, output);
  await overdraw(stage, output);
  await verifyReceipt(stage, output);

  section('The books', output);
  await addUp(stage, output);
  const exitCode = await stage.stopServer();
  if (exitCode !== 0) throw new DemoFailure('stopping the server', `it ended with ${exitCode}`);
  done('server stopped', 'when told to, with nothing left to do', output);

  output.line();
  output.line(
    `${output.style('green', 'Every step came true')}, in ${((performance.now() - began) / 1_000).toFixed(1)} seconds.`,
  );
}

async function setTheStage(stage: Stage, serving: ServingAnnouncement, output: Output): Promise<void> {
  const { host, port } = serving.firstPort;
  done(
    'server running',
    `process ${serving.pid}, first port ${host}:${port}, second ports chosen by the system`,
    output,
  );
  done('host key', serving.fingerprint, output);
  const state = ['--state', stage.path('state'), '--json'];
  const enroll = async (name: string): Promise<void> => {
    const profile = ['--profile', `email=${name}@example.com`, '--profile', 'born=1990-01-31'];
    await stage.expect(`enrolling ${name}`, 0, 'enroll', name, ...profile, '--server', `${host}:${port}`, ...state);
    const account = [`${name}.eur`, '--owner', name, '--currency', 'EUR'];
    await stage.expect(`opening ${name}'s account`, 0, 'accounts', 'open', ...account, ...state);
  };
  await Promise.all(['alice', 'bob'].map(enroll));
  done('enrolled', 'alice and bob: the server keeps keyed digests of their profiles, no more', output);
  await stage.expect('funding', 0, 'fund', 'alice.eur', '100.00', '--reference', 'opening balance', ...state);
  done('funded', '100.00 EUR to alice.eur, from the operator: double entry like all else', output);
}

async function payWithEveryStep(stage: Stage, serving: ServingAnnouncement, output: Output): Promise<Paid> {
  const ran = await stage.expect(
    'the payment',
    0,
    ...payment('alice', 'bob', AMOUNT),
    '--receipt',
    'alice.receipt.json',
    '--trace-steps',
    '3',
  );
  await stage.traced('closed');
  const steps = stage.takeSteps();
  for (const [side, step] of REQUIRED) {
    if (!steps.some((traced) => traced.side === side && traced.step === step)) {
      throw new DemoFailure('the method', `the ${side} never took the step "${textOfStep(side, step).title}"`);
    }
  }
  const lanes = new Lanes(output.columns, (format, text) => output.style(format, text));
  const running: LaneEntry = {
    side: 'server',
    number: 1,
    title: 'runs all the time, and listens on its first port',
    facts: [['first port', `${serving.firstPort.host}:${serving.firstPort.port}`]],
    remark: undefined,
    sends: false,
  };
  const entries = [running, ...steps.map((step, index) => entryOf(step, index + 2))];
  for (const line of lanes.heading(`customer alice (process ${ran.pid})`, `security server (process ${serving.pid})`))
    output.line(line);
  for (const line of entries.flatMap((entry) => lanes.entry(entry))) output.line(line);
  output.line();
  output.line(`Both reached the same Z: each checked a MAC that only the same keys could make (${proofs(steps)}).`);
  const paid = ran.document as Paid;
  if (paid.status !== 'committed') throw new DemoFailure('the payment', `the ledger said ${paid.status}`);
  return paid;
}

function entryOf({ side, step, detail }: TracedStep, number: number): LaneEntry {
  const { title, sends = false, remark } = textOfStep(side, step);
  return { side, number, title, facts: factsOf(detail), remark, sends };
}

/** The numbers of the two steps in which each side saw that the other has its keys. */
function proofs(steps: readonly TracedStep[]): string {
  const numberOf = (side: TracedStep['side'], step: string): number =>
    steps.findIndex((traced) => traced.side === side && traced.step === step) + 2;
  return `${numberOf('server', 'keys-made')} and ${numberOf('customer', 'server-finished-checked')}`;
}

async function payAgain(stage: Stage, paid: Paid, output: Output): Promise<void> {
  const ran = await stage.expect('paying again', 0, ...payment('alice', 'bob', AMOUNT), '--id', paid.transactionId);
  const again = ran.document as Paid;
  if (again.sequence !== paid.sequence) throw new DemoFailure('paying again', 'the same id was paid twice');
  done('asked again', `the same id gives the same receipt (entry ${again.sequence}); nothing is paid twice`, output);
}

async function payBack(stage: Stage, output: Output): Promise<void> {
  await stage.expect('paying back', 0, ...payment('bob', 'alice', '2.50'));
  done('bob pays alice', '2.50 EUR, in a session of his own: another second port, other keys', output);
}

async function overdraw(stage: Stage, output: Output): Promise<void> {
  const ran = await stage.expect('overdrawing', 1, ...payment('bob', 'alice', '1000.00'));
  const { status } = ran.document as Paid;
  if (status !== 'insufficient-funds') throw new DemoFailure('overdrawing', `the ledger said ${status}`);
  done('bob overdraws', `1000.00 EUR is refused: ${status}; the refusal has a receipt as well`, output);
}

async function verifyReceipt(stage: Stage, output: Output): Promise<void> {
  const file = 'alice.receipt.json';
  await stage.expect('verifying the receipt', 0, 'receipt', 'verify', file, '--customer', 'alice.json', '--json');
  const evidence = JSON.parse(await readFile(stage.path(file), 'utf8')) as { receipt: string };
  done(
    'receipt verified',
    `offline, ${Buffer.from(evidence.receipt, 'base64').length} bytes signed by the pinned host key`,
    output,
  );
}

async function addUp(stage: Stage, output: Output): Promise<void> {
  const state = ['--state', stage.path('state'), '--json'];
  const { document } = await stage.expect('listing the accounts', 0, 'accounts', 'list', ...state);
  const { accounts } = document as Accounts;
  const sum = accounts.reduce((total, { balance }) => total + BigInt(balance.replace('.', '')), 0n);
  output.table(
    [
      { title: '    account', value: ({ id }) => `    ${id}` },
      { title: 'balance', align: 'right', value: ({ balance }) => balance },
      { title: 'currency', value: ({ currency }) => currency },
    ],
    accounts,
    '',
  );
  if (accounts.length !== 3 || sum !== 0n)
    throw new DemoFailure('adding up', `the balances give ${sum} cents and not zero`);
  done('sum', '0.00 EUR: every cent that somebody has is one that somebody else gave', output);
  await stage.expect('verifying the ledger', 0, 'ledger', 'verify', ...state);
  done('ledger verified', 'every receipt, balance and link of the chain, recomputed from the first', output);
}

function payment(from: string, to: string, amount: string): string[] {
  const money = ['--from', `${from}.eur`, '--to', `${to}.eur`, '--amount', amount, '--currency', 'EUR'];
  return ['pay', '--customer', `${from}.json`, ...money, '--json'];
}

function section(title: string, output: Output): void {
  output.line();
  output.line(output.style('bold', title));
  output.line();
}

const LABEL_WIDTH = 16;

function done(label: string, text: string, output: Output): void {
  output.line(`  ${output.style('green', '✓')} ${output.style('bold', label.padEnd(LABEL_WIDTH))}  ${text}`);
}
