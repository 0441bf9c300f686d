/** What a journal is bound to. */

import { createHash } from 'node:crypto';
import { encodeTransfer } from '../../customer/transfer.ts';
import type { BatchRow } from './batch-file.ts';

/**
 * SHA-256 in hex over the documents of a batch in order, each behind its length (4 bytes, big-endian): what is paid, with the accounts
 * and currencies that came from the command line, and not how the file spells it.
 */
export function hashOfBatch(rows: readonly BatchRow[]): string {
  const hash = createHash('sha256');
  const length = Buffer.alloc(4);
  for (const { transfer } of rows) {
    const document = encodeTransfer(transfer);
    length.writeUInt32BE(document.length);
    hash.update(length).update(document);
  }
  return hash.digest('hex');
}
