import { LedgerClient } from '../../../src/ledger/ledger-client.ts';
import { PRIVATE_KEY, payment } from './payments.ts';

/** Run by a test in a process of its own: pays one cent after another, a few at a time, and prints the number of each that was receipted. */
const [path, first] = process.argv.slice(2);
const ledger = await LedgerClient.start({ path: path!, privateKey: PRIVATE_KEY });
async function payFrom(start: number, step: number): Promise<never> {
  for (let id = start; ; id += step) {
    const [result] = await ledger.submit([payment('alice', id, { from: 'alice.eur', to: 'bob.eur', amount: '0.01' })]);
    if (result?.kind !== 'receipt') throw new Error('refused');
    process.stdout.write(`${id}\n`);
  }
}
const LANES = 8;
await Promise.all(Array.from({ length: LANES }, (_, lane) => payFrom(Number(first) + lane, LANES)));
