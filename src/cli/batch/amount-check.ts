/** The ledger's own reading of an amount, as a check before anything is sent. */

import { parseAmount } from '../../ledger/amounts.ts';
import { currencyExponent } from '../../ledger/currencies.ts';
import type { AmountCheck } from './batch-file.ts';

export const checkAmountOfLedger: AmountCheck = (amount, currency) => {
  const parsed = parseAmount(amount, currency);
  if (parsed.ok) return undefined;
  return { field: currencyExponent(currency) === undefined ? 'currency' : 'amount', fault: parsed.reason };
};
