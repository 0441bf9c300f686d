/** The ledger's words for what became of a transfer, as sentences. */

import { TRANSFER_OUTCOMES } from '../ledger/transfers.ts';

const SENTENCES: ReadonlyMap<string, string> = new Map(TRANSFER_OUTCOMES);

/** `insufficient-funds` with what it means; a word that a newer server knows stands by itself. */
export function sentenceOfStatus(status: string): string {
  const sentence = SENTENCES.get(status);
  return sentence === undefined ? status : `${status} (${sentence})`;
}
