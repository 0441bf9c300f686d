import { HISTORY_PAGE_MAX, TRANSACTION_BODY_BYTES_MAX } from '../limits.ts';
import { type Account, isAccountId } from './accounts.ts';
import { formatAmount, quote } from './amounts.ts';
import type { HistoryCursor, HistoryEntry, HistoryPage, LedgerService } from './service.ts';
import { parseFlatObject } from './strict-json.ts';
import { formatTimeUs } from './times.ts';

/** The built-in questions of docs/PROTOCOL.md section 10. */
export const BALANCES_CONTENT_TYPE = 'application/vnd.sallyport.balances+json';
export const HISTORY_CONTENT_TYPE = 'application/vnd.sallyport.history+json';

/** An answer has the room of a transaction's body. */
const ANSWER_BYTES_MAX = TRANSACTION_BODY_BYTES_MAX;
const HISTORY_LIMIT_DEFAULT = 50;

export type QueryAnswer =
  | { readonly kind: 'answer'; readonly contentType: string; readonly body: Uint8Array }
  /** Status TRANSACTION_MALFORMED; the sentence is for the log. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** Answers a customer's QUERY. Rejects as LedgerService does. */
export async function answerQuery(
  ledger: Pick<LedgerService, 'balances' | 'history'>,
  customerId: string,
  contentType: string,
  body: Uint8Array,
): Promise<QueryAnswer> {
  if (contentType === BALANCES_CONTENT_TYPE) {
    const parsed = parseFlatObject(body, {});
    if (!parsed.ok) return { kind: 'malformed', reason: parsed.reason };
    const accounts = await ledger.balances(customerId);
    return { kind: 'answer', contentType, body: encode({ accounts: accounts.map(accountView) }) };
  }
  if (contentType === HISTORY_CONTENT_TYPE) {
    const query = parseHistoryQuery(body);
    if (typeof query === 'string') return { kind: 'malformed', reason: query };
    const page = await ledger.history(customerId, query.account, query);
    if (page === undefined) return { kind: 'malformed', reason: `the customer has no account ${quote(query.account)}` };
    return { kind: 'answer', contentType, body: historyDocument(page) };
  }
  return { kind: 'malformed', reason: `${quote(contentType)} is no question this server answers` };
}

interface HistoryQuery {
  readonly account: string;
  readonly before?: HistoryCursor;
  readonly limit: number;
}

function parseHistoryQuery(body: Uint8Array): HistoryQuery | string {
  const parsed = parseFlatObject(body, {
    account: { type: 'string', required: true },
    before: { type: 'string', required: false },
    limit: { type: 'integer', required: false },
  });
  if (!parsed.ok) return parsed.reason;
  const account = String(parsed.members.get('account'));
  if (!isAccountId(account)) return `${quote(account)} is not an account id`;
  const limit = Number(parsed.members.get('limit') ?? HISTORY_LIMIT_DEFAULT);
  if (limit < 1 || limit > HISTORY_PAGE_MAX) return `"limit" is from 1 to ${HISTORY_PAGE_MAX}`;
  const text = parsed.members.get('before');
  if (text === undefined) return { account, limit };
  const before = parseCursor(String(text));
  return before === undefined ? `${quote(String(text))} is no place in a history` : { account, limit, before };
}

/** "1234": what is older than that sequence; "1234.5": also the transfers of that transaction before its fifth. */
function parseCursor(text: string): HistoryCursor | undefined {
  const match = /^([1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,5}))?$/.exec(text);
  if (match === null) return undefined;
  const sequence = BigInt(match[1]!);
  return match[2] === undefined ? { sequence } : { sequence, position: Number(match[2]) };
}

function formatCursor(cursor: HistoryCursor): string {
  return cursor.position === undefined ? cursor.sequence.toString() : `${cursor.sequence}.${cursor.position}`;
}

/** The page as a document; when it would be too large for one answer it ends earlier, and says where it goes on. */
function historyDocument(page: HistoryPage): Uint8Array {
  for (let kept = page.entries.length; ; kept = Math.floor(kept / 2)) {
    const entries = page.entries.slice(0, kept);
    const last = entries.at(-1);
    const cut = kept < page.entries.length && last !== undefined;
    const next = cut ? { sequence: last.sequence, position: last.position } : page.next;
    const body = encode({
      entries: entries.map(entryView),
      more: next !== undefined,
      ...(next === undefined ? {} : { next: formatCursor(next) }),
    });
    // One entry is far below the limit, so this ends.
    if (body.length <= ANSWER_BYTES_MAX || kept <= 1) return body;
  }
}

function accountView(account: Account): object {
  const { id, currency, balance, limit } = account;
  return {
    id,
    currency,
    balance: formatAmount(balance, currency),
    ...(limit === undefined ? {} : { limit: formatAmount(limit, currency) }),
  };
}

function entryView(entry: HistoryEntry): object {
  return {
    sequence: entry.sequence.toString(),
    time: formatTimeUs(entry.timeUs),
    from: entry.debitAccount,
    to: entry.creditAccount,
    amount: formatAmount(entry.amount, entry.currency),
    currency: entry.currency,
    balance: formatAmount(entry.balance, entry.currency),
    reference: entry.reference,
    transactionId: Buffer.from(entry.transactionId).toString('hex'),
  };
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
