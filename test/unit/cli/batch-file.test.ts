import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAmountOfLedger } from '../../../src/cli/batch/amount-check.ts';
import {
  BATCH_FAULTS_SHOWN_MAX,
  type BatchFormat,
  formatOfName,
  parseBatch,
} from '../../../src/cli/batch/batch-file.ts';

const HEADER = 'from,to,amount,currency,reference';

function read(text: string, format: BatchFormat = 'csv', defaults = {}) {
  return parseBatch(new TextEncoder().encode(text), format, defaults, checkAmountOfLedger);
}

function faultsOf(text: string, format: BatchFormat = 'csv', defaults = {}): string[] {
  const result = read(text, format, defaults);
  if (result.kind !== 'faults') throw new Error('the batch was taken for right');
  return result.faults.map(({ line, column, fault }) => `${line} ${column}: ${fault}`);
}

describe('a batch as CSV', () => {
  it('reads rows in any order of columns, with the line each begins on', () => {
    const result = read(
      'amount,to,reference,currency,from\r\n1.50,bob.eur,"lunch, ""late""",EUR,alice.eur\r\n\r\n2,bob.eur,,EUR,alice.eur\r\n',
    );
    expect(result).toEqual({
      kind: 'rows',
      rows: [
        {
          line: 2,
          transfer: {
            from: 'alice.eur',
            to: 'bob.eur',
            amount: '1.50',
            currency: 'EUR',
            reference: 'lunch, "late"',
          },
        },
        { line: 4, transfer: { from: 'alice.eur', to: 'bob.eur', amount: '2', currency: 'EUR', reference: '' } },
      ],
    });
  });

  it('takes account and currency from the command line where rows have none, and lets rows have their own', () => {
    const result = read('to,amount,currency\nbob.eur,1,\ncarol.usd,2,USD\n', 'csv', {
      from: 'alice.eur',
      currency: 'EUR',
    });
    expect(result.kind === 'rows' && result.rows.map((row) => [row.transfer.from, row.transfer.currency])).toEqual([
      ['alice.eur', 'EUR'],
      ['alice.eur', 'USD'],
    ]);
  });

  it('passes over a byte order mark', () => {
    expect(read(`\ufeff${HEADER}\na,b,1,EUR,\n`).kind).toBe('rows');
  });

  it('names line and column of every wrong value', () => {
    expect(
      faultsOf(
        [
          HEADER,
          'alice.eur,bob.eur,12.505,EUR,',
          'alice.eur,bob.eur,"1,50",EUR,',
          'alice.eur,Bob,1,EUR,',
          'alice.eur,bob.eur,-1,EUR,',
          'alice.eur,bob.eur,0.00,EUR,',
          'alice.eur,bob.eur,1,EURO,',
          'alice.eur,bob.eur,1,XYZ,',
          ',bob.eur,1,EUR,',
          'alice.eur,bob.eur,1',
          `alice.eur,bob.eur,1,EUR,${'x'.repeat(141)}`,
          'a.eur,a.eur,,EUR,',
          'a.eur,b.eur,0.5,JPY,',
        ].join('\n'),
      ),
    ).toEqual([
      '2 amount: "12.505" has more decimals than the 2 that EUR has',
      '3 amount: "1,50" is not a decimal number such as 12.50',
      '4 to: "Bob" is not an account (lower-case letters, digits, dot, hyphen and underscore)',
      '5 amount: "-1" is negative: swap from and to instead',
      '6 amount: must be greater than zero',
      '7 currency: "EURO" is not a currency code such as EUR',
      '8 currency: "XYZ" is not an active ISO 4217 currency code',
      '9 from: is missing, and no --from was given for rows without one',
      '10 : has 3 values under 5 columns',
      '11 reference: has 141 bytes and may have 140',
      '12 to: is the same account as from',
      '12 amount: is missing',
      '13 amount: "0.5" has more decimals than the 0 that JPY has',
    ]);
  });

  it('counts lines through quoted line breaks', () => {
    expect(faultsOf(`${HEADER}\na,b,1,EUR,"one\ntwo\nthree"\na,b,x,EUR,\n`)).toEqual([
      '2 reference: holds a control character',
      '5 amount: "x" is not a decimal number such as 12.50',
    ]);
  });

  it('shows the first twenty faults and counts the rest', () => {
    const result = read(`${HEADER}\n${'a,b,x,EUR,\n'.repeat(50)}`);
    expect(result.kind === 'faults' && [result.faults.length, result.count]).toEqual([BATCH_FAULTS_SHOWN_MAX, 50]);
  });

  it('explains a wrong header', () => {
    expect(faultsOf('too,amount\nx,1\n')).toEqual([
      '1 too: is not a column of a batch; did you mean to?',
      '1 to: is not among the columns of the header line',
    ]);
    expect(faultsOf('to;amount\nx;1\n')).toEqual(['1 : separates its columns by something else than commas']);
    expect(faultsOf('to,amount,to\nx,1,y\n')).toEqual(['1 to: appears twice']);
  });

  it('refuses what holds no payments, is no text, or is no CSV', () => {
    expect(faultsOf('')).toEqual(['1 : holds no payments']);
    expect(faultsOf(`${HEADER}\n`)).toEqual(['1 : holds no payments']);
    expect(faultsOf(`${HEADER}\na,b,1,EUR,"open\n`)[0]).toMatch(/^\d+ : is not CSV: Quote Not Closed/);
    const latin = parseBatch(Uint8Array.of(0x61, 0xe4, 0x0a), 'csv', {}, checkAmountOfLedger);
    expect(latin).toEqual({ kind: 'faults', faults: [{ line: 1, column: '', fault: 'is not UTF-8 text' }], count: 1 });
  });
});

describe('a batch as JSON Lines', () => {
  it('is chosen by name', () => {
    expect(['a.csv', 'a.jsonl', 'A.NDJSON', 'a.txt'].map(formatOfName)).toEqual(['csv', 'jsonl', 'jsonl', 'csv']);
  });

  it('names line and member of what is wrong', () => {
    const lines = [
      '{"from":"a","to":"b","amount":1,"currency":"EUR"}',
      '[]',
      '',
      'oops',
      '{"form":"a","to":"b","amount":"1"}',
    ];
    expect(faultsOf(lines.join('\n'), 'jsonl', { currency: 'EUR' })).toEqual([
      '1 amount: must be a string: "1"',
      '2 : is not a JSON object',
      '4 : is not a JSON object',
      '5 form: is not a column of a batch; did you mean from?',
    ]);
  });

  it('reads the rows that CSV reads (every text a reference may hold)', () => {
    const reference = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .filter((text) => !/\p{Cc}/u.test(text) && text.trim() === text);
    fc.assert(
      fc.property(fc.array(reference, { minLength: 1, maxLength: 8 }), (references) => {
        const transfers = references.map((text, index) => ({
          from: 'a',
          to: 'b',
          amount: `${index + 1}`,
          currency: 'EUR',
          reference: text,
        }));
        const csv = [
          HEADER,
          ...transfers.map((t) => `a,b,${t.amount},EUR,"${t.reference.replaceAll('"', '""')}"`),
        ].join('\n');
        const jsonl = transfers.map((transfer) => JSON.stringify(transfer)).join('\n');
        const fromCsv = read(csv);
        const fromJsonl = read(jsonl, 'jsonl');
        expect(fromCsv.kind).toBe('rows');
        expect(fromCsv.kind === 'rows' && fromCsv.rows.map((row) => row.transfer)).toEqual(transfers);
        expect(fromJsonl.kind === 'rows' && fromJsonl.rows.map((row) => row.transfer)).toEqual(transfers);
      }),
    );
  });
});
