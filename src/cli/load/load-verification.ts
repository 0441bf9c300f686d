/** Payments made under load are real: the ledger verifies, and every acknowledged one is in it. */

import { verifyLedger } from '../../ledger/verification.ts';
import { TRANSACTION_ID_BYTES } from '../../limits.ts';
import type { LoadCustomer } from '../../load/driver.ts';
import type { LoadResult } from '../../load/load-result.ts';
import { formatNumber } from '../../load/wording.ts';
import { type OperatorOptions, withLedgerFile } from '../operator-state.ts';

/** Receipts looked up at once. */
const PAGE = 1_000;

/** Looks every acknowledged transaction up in the ledger that `options` name, and verifies the whole ledger. */
export async function verifyLoad(
  options: OperatorOptions,
  customers: readonly LoadCustomer[],
  acknowledged: readonly Uint8Array[],
): Promise<NonNullable<LoadResult['verification']>> {
  const keys = acknowledged.flatMap((ids) =>
    Array.from({ length: ids.length / TRANSACTION_ID_BYTES }, (_, at) => {
      const transactionId = ids.subarray(at * TRANSACTION_ID_BYTES, (at + 1) * TRANSACTION_ID_BYTES);
      // Bytes 8 to 11 are the operation's index (src/load/driver.ts), which chose the customer.
      const operation = new DataView(transactionId.buffer, transactionId.byteOffset).getUint32(8);
      return { customerId: customers[operation % customers.length]!.identity.customerId, transactionId };
    }),
  );
  return withLedgerFile(options, async ({ storage, receiptKeys }) => {
    const found = await storage.read(async (reader) => {
      let count = 0;
      for (let at = 0; at < keys.length; at += PAGE) {
        const receipts = await reader.receipts(keys.slice(at, at + PAGE));
        count += receipts.filter((receipt) => receipt !== undefined).length;
      }
      return count;
    });
    const { findings, transactions } = await verifyLedger(storage, { keys: receiptKeys });
    const ledgerVerified = findings.length === 0;
    const ledger = ledgerVerified
      ? `the ledger of ${formatNumber(transactions)} transactions verifies`
      : `the ledger does NOT verify: ${findings[0]!.name}, ${findings[0]!.detail}`;
    const payments =
      found === keys.length
        ? `All ${formatNumber(found)} acknowledged payments are in the ledger`
        : `${formatNumber(keys.length - found)} of ${formatNumber(keys.length)} acknowledged payments are MISSING from the ledger`;
    return { acknowledged: keys.length, found, ledgerVerified, words: `${payments}, and ${ledger}.` };
  });
}
