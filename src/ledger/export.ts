import { decodeReceipt } from '../wire/receipt.ts';
import { formatAmount } from './amounts.ts';
import type { TransactionEntry } from './entry.ts';
import type { LedgerStorage, ReadEntry } from './storage/storage.ts';
import { formatTimeUs } from './times.ts';

export interface ExportOptions {
  /** Entries above this sequence only; 0 for all. */
  readonly after?: bigint;
  /** Takes whole lines, without their line ends; the export waits for it. */
  readonly write: (lines: readonly string[]) => Promise<void>;
  readonly onProgress?: (done: number, total: number) => void;
}

const PAGE_ENTRIES = 500;

/**
 * Writes the journal as JSON lines (docs/LEDGER.md, "Export"): one object for each entry, ascending, and a last one of kind `head`. It is
 * one unchanging view, however long it takes. Gives the number of entries.
 */
export async function exportLedger(storage: LedgerStorage, options: ExportOptions): Promise<number> {
  return storage.read(async (reader) => {
    const head = await reader.head();
    let after = options.after ?? 0n;
    const total = Number(head.sequence > after ? head.sequence - after : 0n);
    let done = 0;
    for (;;) {
      const page = await reader.entries(after, PAGE_ENTRIES);
      const last = page.at(-1);
      if (last === undefined) break;
      await options.write(page.map((read) => JSON.stringify(lineOf(read))));
      done += page.length;
      after = last.sequence;
      options.onProgress?.(done, total);
    }
    const { sequence, chain, timeUs } = head;
    await options.write([
      JSON.stringify({ kind: 'head', sequence: sequence.toString(), time: formatTimeUs(timeUs), chain: hex(chain) }),
    ]);
    return done;
  });
}

function lineOf({ sequence, entry, chain }: ReadEntry): object {
  if (entry === undefined) return { sequence: sequence.toString(), kind: 'missing', chain: hex(chain) };
  const base = { sequence: sequence.toString(), kind: entry.kind, time: formatTimeUs(entry.timeUs) };
  if (entry.kind === 'transaction') return { ...base, ...transactionLine(entry), chain: hex(chain) };
  return { ...base, [entry.kind]: JSON.parse(entry.document) as unknown, chain: hex(chain) };
}

function transactionLine(entry: TransactionEntry): object {
  return {
    customer: entry.customerId,
    transactionId: hex(entry.transactionId),
    outcome: decodeReceipt(entry.receipt)?.outcome ?? null,
    contentType: entry.contentType,
    body: Buffer.from(entry.body).toString('base64'),
    receipt: Buffer.from(entry.receipt).toString('base64'),
    transfers: entry.transfers.map((transfer) => ({
      from: transfer.debitAccount,
      to: transfer.creditAccount,
      amount: formatAmount(transfer.amount, transfer.currency),
      currency: transfer.currency,
      reference: transfer.reference,
      fromBalance: formatAmount(transfer.debitBalance, transfer.currency),
      toBalance: formatAmount(transfer.creditBalance, transfer.currency),
    })),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
