/**
 * The journal of a batch: which transaction id each row has, and which rows have their receipt. JSON Lines, in this order:
 *
 *   {"journal":"sallyport-batch","version":1,"batch":"<SHA-256 of what is paid>","customer":"alice","rows":2}
 *   {"row":1,"id":"<32 hex digits>"}              one for each row, all of them before anything is sent
 *   {"row":2,"id":"<32 hex digits>"}
 *   {"settled":2,"receipt":"<base64>"}            as receipts come, in any order
 *   {"settled":1,"refusal":"TRANSACTION_MALFORMED","text":"…"}
 *
 * The ids are what makes a second run safe: a row asked again with its id is answered with the receipt it had, and pays nothing. So
 * the plan must be whole and durable before the first transaction leaves; a settled line that is lost costs one more question.
 *
 * Nothing here touches a file, so that every prefix of every journal can be tested.
 */

import { ERRORS, type ErrorCode } from '../../errors.ts';

export interface JournalSubject {
  /** `hashOfBatch`: what is paid. */
  readonly batch: string;
  readonly customer: string;
  readonly rows: number;
}

export type SettledRow =
  | { readonly kind: 'receipt'; readonly receipt: Uint8Array }
  | { readonly kind: 'refusal'; readonly code: ErrorCode; readonly text: string };

export interface JournalState {
  readonly subject: JournalSubject;
  /** Transaction ids in hex, by row from 0. */
  readonly ids: readonly string[];
  /** By row from 0. */
  readonly settled: ReadonlyMap<number, SettledRow>;
  /** Bytes up to the end of the last whole line: what follows was torn by a crash, and is cut off before anything is appended. */
  readonly wholeBytes: number;
}

export type JournalReading =
  | { readonly kind: 'state'; readonly state: JournalState }
  /** The plan is not whole. It was published whole, so the file was damaged after payments may have left: never planned anew. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'damaged'; readonly line: number; readonly fault: string };

const VERSION = 1;
const ID = /^[0-9a-f]{32}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const NEWLINE = 0x0a;

/** The whole plan, as it must be durable before anything is sent. */
export function encodePlan(subject: JournalSubject, ids: readonly string[]): string {
  const lines = [
    JSON.stringify({ journal: 'sallyport-batch', version: VERSION, ...subject }),
    ...ids.map((id, row) => JSON.stringify({ row: row + 1, id })),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line for a row (from 0) that needs no more asking. */
export function encodeSettled(row: number, settled: SettledRow): string {
  const line =
    settled.kind === 'receipt'
      ? { settled: row + 1, receipt: Buffer.from(settled.receipt).toString('base64') }
      : { settled: row + 1, refusal: settled.code, text: settled.text };
  return `${JSON.stringify(line)}\n`;
}

/** Reads what a run left behind; any prefix of a journal is read as what it is. */
export function readJournal(content: Uint8Array): JournalReading {
  const wholeBytes = content.lastIndexOf(NEWLINE) + 1;
  const lines = new TextDecoder().decode(content.subarray(0, wholeBytes)).split('\n').slice(0, -1);
  const [first, ...rest] = lines;
  if (first === undefined) return { kind: 'incomplete' };
  const subject = readSubject(parseObject(first));
  if (typeof subject === 'string') return { kind: 'damaged', line: 1, fault: subject };
  const ids: string[] = [];
  const settled = new Map<number, SettledRow>();
  for (const [index, line] of rest.entries()) {
    const entry = parseObject(line);
    const fault = ids.length < subject.rows ? readPlanned(entry, ids) : readSettled(entry, subject.rows, settled);
    if (fault !== undefined) return { kind: 'damaged', line: index + 2, fault };
  }
  if (ids.length < subject.rows) return { kind: 'incomplete' };
  return { kind: 'state', state: { subject, ids, settled, wholeBytes } };
}

type Entry = Readonly<Record<string, unknown>> | undefined;

function readSubject(entry: Entry): JournalSubject | string {
  if (entry?.journal !== 'sallyport-batch') return 'is not the first line of a batch journal';
  if (entry.version !== VERSION) return `has version ${String(entry.version)}; this program knows version ${VERSION}`;
  const { batch, customer, rows } = entry;
  if (typeof batch !== 'string' || !SHA256.test(batch)) return 'names no batch file';
  if (typeof customer !== 'string' || customer === '') return 'names no customer';
  if (typeof rows !== 'number' || !Number.isSafeInteger(rows) || rows < 1) return 'counts no rows';
  return { batch, customer, rows };
}

function readPlanned(entry: Entry, ids: string[]): string | undefined {
  if (entry?.row !== ids.length + 1) return `does not name row ${ids.length + 1}`;
  if (typeof entry.id !== 'string' || !ID.test(entry.id)) return 'holds no transaction id';
  ids.push(entry.id);
  return undefined;
}

function readSettled(entry: Entry, rows: number, settled: Map<number, SettledRow>): string | undefined {
  const row = entry?.settled;
  if (typeof row !== 'number' || !Number.isSafeInteger(row) || row < 1 || row > rows)
    return 'names no row of the batch';
  if (typeof entry?.receipt === 'string') {
    settled.set(row - 1, { kind: 'receipt', receipt: new Uint8Array(Buffer.from(entry.receipt, 'base64')) });
    return undefined;
  }
  if (typeof entry?.refusal === 'string' && Object.hasOwn(ERRORS, entry.refusal) && typeof entry.text === 'string') {
    settled.set(row - 1, { kind: 'refusal', code: entry.refusal as ErrorCode, text: entry.text });
    return undefined;
  }
  return 'holds neither a receipt nor a refusal';
}

function parseObject(line: string): Entry {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
