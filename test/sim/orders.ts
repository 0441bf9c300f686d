import { BALANCES_CONTENT_TYPE, HISTORY_CONTENT_TYPE } from '../../src/ledger/queries.ts';
import { TRANSFER_CONTENT_TYPE } from '../../src/ledger/transfer-processor.ts';
import type { Wish } from './auditor.ts';
import { NOTE_TYPE } from './ledger-host.ts';
import type { SeededRandom } from './random.ts';

/** Something a customer wants, until it has it. */
export interface Order {
  readonly kind: 'transaction' | 'query';
  readonly wish: Wish;
  /** What a receipt or a refusal settles it. */
  readonly wants: 'receipt' | 'malformed' | 'conflict' | 'answer';
  attempts: number;
  settled: boolean;
}

/** Ids that a fleet's customers and their accounts have. */
export function customerIdOf(index: number): string {
  return `customer-${index}`;
}

export function accountOf(customerId: string): string {
  return `${customerId}.eur`;
}

/** A transfer in cents. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly cents: number;
}

export function transferBody({ from, to, cents }: Transfer, reference: string): Uint8Array {
  const amount = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
  return Buffer.from(JSON.stringify({ from, to, amount, currency: 'EUR', ...(reference === '' ? {} : { reference }) }));
}

/** The orders of one customer: mostly transfers, some that cannot be done, some that are no documents, some questions. */
export function makeOrders(
  random: SeededRandom,
  customerId: string,
  customers: number,
  count: number,
  large: boolean,
): Order[] {
  return Array.from({ length: count }, () => makeOrder(random, customerId, customers, large));
}

function makeOrder(random: SeededRandom, customerId: string, customers: number, large: boolean): Order {
  const transactionId = random.bytes(16);
  const wish = (contentType: string, body: Uint8Array): Wish => ({ customerId, transactionId, contentType, body });
  const order = (kind: Order['kind'], wants: Order['wants'], of: Wish): Order => ({
    kind,
    wants,
    wish: of,
    attempts: 0,
    settled: false,
  });
  const what = random.below(40);
  if (what < 5) {
    const question =
      what < 3
        ? wish(BALANCES_CONTENT_TYPE, Buffer.from('{}'))
        : wish(HISTORY_CONTENT_TYPE, Buffer.from(JSON.stringify({ account: accountOf(customerId), limit: 5 })));
    return order('query', 'answer', question);
  }
  if (what === 5)
    return order('transaction', 'malformed', wish(TRANSFER_CONTENT_TYPE, random.bytes(random.below(300))));
  if (what === 6 || large) {
    const bytes = large ? random.pick([200, 61_440, 61_440]) : random.pick([0, 1, 63, 64, 1_000]);
    return order('transaction', 'receipt', wish(NOTE_TYPE, random.bytes(bytes)));
  }
  const to = what === 7 ? 'nobody.eur' : accountOf(customerIdOf(random.below(customers)));
  const from = what === 8 ? accountOf(customerIdOf(random.below(customers))) : accountOf(customerId);
  // Now and then more than anybody has.
  const cents = random.oneIn(12) ? 5_000_000 : 1 + random.below(3_000);
  const reference = random.oneIn(8) ? 'x'.repeat(random.below(141)) : '';
  return order('transaction', 'receipt', wish(TRANSFER_CONTENT_TYPE, transferBody({ from, to, cents }, reference)));
}
