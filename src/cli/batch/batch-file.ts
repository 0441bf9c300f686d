/**
 * A batch of payments as a CSV file with a header line, or as JSON Lines. Every row is checked before anything is sent, and every wrong
 * row is named by line and column, so that a file is put right in one go.
 */

import { parse } from 'csv-parse/sync';
import { faultsOfTransfer, type Transfer, type TransferField } from '../../customer/transfer.ts';
import { nearest } from '../../nearest.ts';

/** What a person still reads; the rest is counted. */
export const BATCH_FAULTS_SHOWN_MAX = 20;
/** A million payments of 100 bytes: bounds what is held in memory at once. */
export const BATCH_BYTES_MAX = 128 * 1024 * 1024;
export const BATCH_ROWS_MAX = 1_000_000;

export interface BatchRow {
  /** Where the row begins in the file, from 1. */
  readonly line: number;
  readonly transfer: Transfer;
}

export interface BatchFault {
  readonly line: number;
  readonly column: string;
  readonly fault: string;
}

export interface BatchDefaults {
  /** The account that pays, for rows (or files) that name none. */
  readonly from?: string;
  readonly currency?: string;
}

export type BatchFormat = 'csv' | 'jsonl';

export type BatchResult =
  | { readonly kind: 'rows'; readonly rows: readonly BatchRow[] }
  | { readonly kind: 'faults'; readonly faults: readonly BatchFault[]; readonly count: number };

/** Checks a decimal amount against its currency beyond what the customer library knows; undefined when it is right. */
export type AmountCheck = (amount: string, currency: string) => { field: TransferField; fault: string } | undefined;

const FIELDS: readonly TransferField[] = ['from', 'to', 'amount', 'currency', 'reference'];

/** CSV unless the name ends in .jsonl or .ndjson. */
export function formatOfName(name: string): BatchFormat {
  return /\.(jsonl|ndjson)$/i.test(name) ? 'jsonl' : 'csv';
}

/** All rows of a batch, or all that is wrong with it. */
export function parseBatch(
  content: Uint8Array,
  format: BatchFormat,
  defaults: BatchDefaults,
  checkAmount: AmountCheck,
): BatchResult {
  const faults: BatchFault[] = [];
  let count = 0;
  const report = (line: number, column: string, fault: string): void => {
    count++;
    if (faults.length < BATCH_FAULTS_SHOWN_MAX) faults.push({ line, column, fault });
  };
  const text = decodeUtf8(content);
  if (text === undefined)
    return { kind: 'faults', faults: [{ line: 1, column: '', fault: 'is not UTF-8 text' }], count: 1 };
  const records = format === 'csv' ? readCsv(text, report) : readJsonLines(text, report);
  const rows: BatchRow[] = [];
  for (const { line, fields } of records) {
    const transfer: Transfer = {
      from: fields.from || defaults.from || '',
      to: fields.to ?? '',
      amount: fields.amount ?? '',
      currency: fields.currency || defaults.currency || '',
      reference: fields.reference ?? '',
    };
    const wrong = faultsOfTransfer(transfer);
    const amountFault = wrong.length === 0 ? checkAmount(transfer.amount, transfer.currency) : undefined;
    if (amountFault !== undefined) wrong.push(amountFault);
    for (const { field, fault } of wrong) report(line, field, withDefaultHint(field, fault));
    if (wrong.length === 0) rows.push({ line, transfer });
  }
  if (count === 0 && rows.length === 0) report(1, '', 'holds no payments');
  if (rows.length > BATCH_ROWS_MAX)
    report(rows[BATCH_ROWS_MAX]!.line, '', `is beyond the ${BATCH_ROWS_MAX} payments of one batch`);
  return count > 0 ? { kind: 'faults', faults, count } : { kind: 'rows', rows };
}

function withDefaultHint(field: TransferField, fault: string): string {
  return fault === 'is missing' && (field === 'from' || field === 'currency')
    ? `is missing, and no --${field} was given for rows without one`
    : fault;
}

/** Text of a file: without a byte order mark; undefined when the bytes are no UTF-8. */
function decodeUtf8(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

interface Fields {
  readonly line: number;
  readonly fields: Partial<Record<TransferField, string>>;
}

type Report = (line: number, column: string, fault: string) => void;

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
  readonly raw: string;
}

function* readCsv(text: string, report: Report): Generator<Fields> {
  let parsed: CsvRecord[];
  try {
    parsed = parse(text, {
      columns: false,
      info: true,
      raw: true,
      skip_empty_lines: true,
      relax_column_count: true,
      trim: true,
      max_record_size: 65_536,
    }) as unknown as CsvRecord[];
  } catch (error) {
    const { message, lines } = error as { message: string; lines?: number };
    report(lines ?? 1, '', `is not CSV: ${message}`);
    return;
  }
  const [header, ...body] = parsed;
  if (header === undefined) return;
  const columns = readHeader(header.record, firstLineOf(header), report);
  if (columns === undefined) return;
  for (const row of body) {
    const line = firstLineOf(row);
    if (row.record.length === columns.length) {
      yield { line, fields: Object.fromEntries(columns.map((column, index) => [column, row.record[index]!])) };
    } else {
      report(line, '', `has ${plural(row.record.length, 'value')} under ${plural(columns.length, 'column')}`);
    }
  }
}

/** info counts the line a record ends on; a quoted value may hold line breaks. */
function firstLineOf(row: CsvRecord): number {
  return row.info.lines - (row.raw.trim().match(/\n/g)?.length ?? 0);
}

function readHeader(names: readonly string[], line: number, report: Report): TransferField[] | undefined {
  const columns = names.map((name) => name.toLowerCase());
  let wrong = false;
  const fail = (column: string, fault: string): void => {
    wrong = true;
    report(line, column, fault);
  };
  if (columns.length === 1 && /[;\t]/.test(columns[0]!)) {
    fail('', 'separates its columns by something else than commas');
    return undefined;
  }
  columns.forEach((column, index) => {
    if (!FIELDS.includes(column as TransferField)) fail(column, unknownColumn(column));
    else if (columns.indexOf(column) !== index) fail(column, 'appears twice');
  });
  for (const required of ['to', 'amount'] as const) {
    if (!columns.includes(required)) fail(required, 'is not among the columns of the header line');
  }
  return wrong ? undefined : (columns as TransferField[]);
}

function unknownColumn(column: string): string {
  const near = nearest(column, FIELDS);
  return near === undefined
    ? `is not a column of a batch (${FIELDS.join(', ')})`
    : `is not a column of a batch; did you mean ${near}?`;
}

function* readJsonLines(text: string, report: Report): Generator<Fields> {
  for (const [index, source] of text.split('\n').entries()) {
    const line = index + 1;
    if (source.trim() === '') continue;
    const value = parseJson(source);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      report(line, '', 'is not a JSON object');
      continue;
    }
    const fields: Partial<Record<TransferField, string>> = {};
    let wrong = false;
    for (const [name, member] of Object.entries(value)) {
      const fault = faultOfMember(name, member);
      if (fault === undefined) fields[name as TransferField] = member as string;
      else report(line, name, fault);
      wrong ||= fault !== undefined;
    }
    if (!wrong) yield { line, fields };
  }
}

function faultOfMember(name: string, member: unknown): string | undefined {
  if (!FIELDS.includes(name as TransferField)) return unknownColumn(name);
  if (typeof member === 'string') return undefined;
  return `must be a string${typeof member === 'number' ? `: "${member}"` : ''}`;
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
