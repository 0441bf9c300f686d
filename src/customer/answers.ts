/** The server's answers to the built-in questions, and the result of a transfer: checked before anybody relies on their form. */

import * as z from 'zod';
import { SallyportError } from '../errors.ts';

/** One of the customer's own accounts. Amounts are decimal strings of the major unit. */
export interface AccountBalance {
  readonly id: string;
  readonly currency: string;
  readonly balance: string;
  /** The lowest balance that a payment may leave. */
  readonly limit: string;
}

/** One transfer as an account saw it. */
export interface HistoryEntry {
  /** Of the transaction in the ledger, as a decimal string. */
  readonly sequence: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly from: string;
  readonly to: string;
  /** Negative when it left this account. */
  readonly amount: string;
  readonly currency: string;
  /** The account's balance after it. */
  readonly balance: string;
  readonly reference: string;
  /** 32 hexadecimal digits. */
  readonly transactionId: string;
}

/** Newest first. */
export interface History {
  readonly entries: readonly HistoryEntry[];
  /** Whether there are older ones: ask again with `before` set to `next`. */
  readonly more: boolean;
  readonly next?: string | undefined;
}

const amount = z.string().regex(/^-?\d{1,19}(\.\d{1,4})?$/);
const currency = z.string().regex(/^[A-Z]{3}$/);
const sequence = z.string().regex(/^\d{1,20}$/);

// Loose objects: a newer server may say more than this program understands.
const balances = z.looseObject({
  accounts: z.array(z.looseObject({ id: z.string(), currency, balance: amount, limit: amount })),
});
const history = z.looseObject({
  entries: z.array(
    z.looseObject({
      sequence,
      time: z.string(),
      from: z.string(),
      to: z.string(),
      amount,
      currency,
      balance: amount,
      reference: z.string(),
      transactionId: z.string().regex(/^[0-9a-f]{32}$/),
    }),
  ),
  more: z.boolean(),
  next: z
    .string()
    .regex(/^\d{1,20}(\.\d{1,10})?$/)
    .optional(),
});
const transferResult = z.looseObject({ status: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/) });

export function decodeBalances(body: Uint8Array): AccountBalance[] {
  return read(balances, body, 'balances').accounts;
}

export function decodeHistory(body: Uint8Array): History {
  return read(history, body, 'history');
}

/** `committed`, or the ledger's name of a refusal, such as `insufficient-funds`; undefined when the body is no transfer's result. */
export function decodeTransferStatus(body: Uint8Array): string | undefined {
  const value = parseJson(body);
  const parsed = transferResult.safeParse(value);
  return parsed.success ? parsed.data.status : undefined;
}

function read<Schema extends z.ZodType>(schema: Schema, body: Uint8Array, what: string): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) {
    const at = parsed.error.issues[0]!.path.join('.');
    throw new SallyportError(
      'BAD_FRAME',
      `the server's ${what} are not as the protocol has them${at === '' ? '' : ` (${at})`}`,
    );
  }
  return parsed.data;
}

/** Undefined when the bytes are no JSON in UTF-8. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
