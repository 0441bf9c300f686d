import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../errors.ts';
import { Ledger } from './ledger.ts';
import { loadProcessors } from './processor-registry.ts';
import { createReceiptSigner } from './receipts.ts';
import { SqliteStorage } from './storage/sqlite.ts';
import {
  type Call,
  type FromThread,
  type Outcome,
  packRecords,
  packResults,
  type ThreadSettings,
  type ToThread,
  threadErrorOf,
  unpackTransactions,
} from './thread-messages.ts';

/** The thread of ledger-client.ts: a Ledger over SQLite, one message at a time, in order of arrival. */

assert(parentPort !== null, 'this module is the entry of a worker thread');
const port = parentPort;

function post(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

async function openLedger(settings: ThreadSettings): Promise<Ledger> {
  const storage = new SqliteStorage({
    path: settings.path,
    check: settings.check,
    ...(settings.pagesMax === undefined ? {} : { pagesMax: settings.pagesMax }),
  });
  const processors = await loadProcessors(settings.processors, settings.baseDirectory);
  const signer = createReceiptSigner(settings.privateKey);
  await storage.open();
  return new Ledger({
    storage,
    processors,
    signer,
    report: (contentType, cause) =>
      post({
        kind: 'processor-failed',
        contentType,
        message: cause instanceof Error ? (cause.stack ?? '') : String(cause),
      }),
  });
}

async function handle(ledger: Ledger, message: ToThread): Promise<void> {
  switch (message.kind) {
    case 'submit': {
      const outcome = await outcomeOf(async () =>
        packResults(await ledger.submit(unpackTransactions(message.transactions))),
      );
      post({ kind: 'submitted', outcome }, 'value' in outcome ? [outcome.value.bytes.buffer] : []);
      return;
    }
    case 'calls': {
      const outcomes: Outcome<unknown>[] = [];
      for (const call of message.calls) outcomes.push(await outcomeOf(() => perform(ledger, call)));
      post({ kind: 'called', outcomes });
      return;
    }
    case 'close':
      await ledger.close();
      port.close();
  }
}

/** The caller is LedgerClient, whose methods have LedgerService's types; what every session asks for travels packed. */
async function perform(ledger: Ledger, call: Call): Promise<unknown> {
  if (call.method === 'findIdentities')
    return packRecords(await ledger.findIdentities(call.parameters[0] as readonly string[]));
  const method = ledger[call.method] as (...parameters: readonly unknown[]) => Promise<unknown>;
  return method.apply(ledger, [...call.parameters]);
}

async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: threadErrorOf(error) };
  }
}

async function run(): Promise<void> {
  const ledger = await openLedger(workerData as ThreadSettings);
  // A message's failure is its outcome; what fails beyond that ends the thread, and the client starts another.
  const state = { last: Promise.resolve() };
  port.on('message', (message: ToThread) => {
    state.last = state.last.then(() => handle(ledger, message));
  });
  post({ kind: 'ready' });
}

run().catch((error: unknown) => {
  post({ kind: 'failed', error: threadErrorOf(error) });
  port.close();
});
