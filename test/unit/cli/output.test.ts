import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from '../../../src/cli/exit-codes.ts';
import { Output, printable, UsageError } from '../../../src/cli/output.ts';
import { startProgress } from '../../../src/cli/progress.ts';
import { ERRORS, type ErrorCode, SallyportError } from '../../../src/errors.ts';
import { nearest } from '../../../src/nearest.ts';
import { FakeStreams } from './fake-streams.ts';

const ROWS = [
  { name: 'alice.eur', amount: '87.50' },
  { name: 'b', amount: '-1000.00' },
];
const COLUMNS = [
  { title: 'account', value: (row: (typeof ROWS)[number]) => row.name },
  { title: 'balance', align: 'right' as const, value: (row: (typeof ROWS)[number]) => row.amount },
];

describe('output', () => {
  it('aligns tables without borders, colours, or spaces at line ends', () => {
    const streams = new FakeStreams();
    new Output(streams, false).table(COLUMNS, ROWS, '');
    expect(streams.stdout.text).toBe('account     balance\nalice.eur     87.50\nb          -1000.00\n');
  });

  it('aligns them the same with colours', () => {
    const streams = new FakeStreams(true);
    new Output(streams, false).table([{ ...COLUMNS[0]!, format: () => 'green' as const }, COLUMNS[1]!], ROWS, '');
    expect(streams.stdout.text).toContain('\x1b[32malice.eur\x1b[39m');
    expect(stripVTControlCharacters(streams.stdout.text)).toBe(
      'account     balance\nalice.eur     87.50\nb          -1000.00\n',
    );
  });

  it('says what an empty table would hold, on stderr', () => {
    const streams = new FakeStreams();
    new Output(streams, false).table(COLUMNS, [], 'No accounts yet.');
    expect([streams.stdout.text, streams.stderr.text]).toEqual(['', 'No accounts yet.\n']);
  });

  it('lets no control character of others reach a terminal', () => {
    expect(printable('a\x1b[2Jb\r\nc\x9b1md\u202eevil')).toBe('a\ufffd[2Jb\ufffd\ufffdc\ufffd1md\ufffdevil');
    const streams = new FakeStreams();
    new Output(streams, false).pairs([['reference', 'x\x1b]0;title\x07']]);
    expect(streams.stdout.text).toBe('reference  x\ufffd]0;title\ufffd\n');
  });

  it('reports a failure as what happened and what to do, with its exit code', () => {
    const streams = new FakeStreams();
    const code = new Output(streams, false).failure(
      new SallyportError('UNREACHABLE', 'no connection to 127.0.0.1:7919'),
    );
    expect(code).toBe(EXIT.RETRY);
    expect(streams.stderr.text).toBe(`error: no connection to 127.0.0.1:7919\n  ${ERRORS.UNREACHABLE.advice}\n`);
    expect(streams.stdout.text).toBe('');
  });

  it('reports it as JSON under --json', () => {
    const streams = new FakeStreams();
    const error = new SallyportError('BUSY', 'full', { retryAfterMs: 250, transactionId: 'ab' });
    expect(new Output(streams, true).failure(error)).toBe(EXIT.RETRY);
    expect(JSON.parse(streams.stderr.text)).toEqual({
      error: {
        code: 'BUSY',
        message: 'full',
        advice: ERRORS.BUSY.advice,
        exitCode: 3,
        retryAfterMs: 250,
        transactionId: 'ab',
      },
    });
  });

  it('tells a bug from a mistake', () => {
    const streams = new FakeStreams();
    const output = new Output(streams, false);
    expect(output.failure(new UsageError('wrong', 'Do it so.'))).toBe(EXIT.USAGE);
    expect(streams.stderr.text).toBe('error: wrong\n  Do it so.\n');
    expect(output.failure(new TypeError('x is not a function'))).toBe(EXIT.INTERNAL);
    expect(streams.stderr.text).toContain('this is a bug in sallyport');
  });

  it('has an exit code for every error: 3 only where trying again can help', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      if (exitCodeOf(code) === EXIT.RETRY) expect(ERRORS[code].retry, code).not.toBe('never');
      expect(exitCodeOf(code), code).not.toBe(EXIT.OK);
    }
    expect(exitCodeOf('OUTCOME_UNKNOWN')).toBe(EXIT.UNKNOWN);
    expect(exitCodeOf('HOST_KEY_MISMATCH')).toBe(EXIT.IDENTITY);
  });
});

describe('progress without a terminal', () => {
  it('is a line at the end, and now and then before it', () => {
    const streams = new FakeStreams();
    const clock = { ms: 0 };
    const progress = startProgress(new Output(streams, false), 'paying', 100, 0, () => clock.ms);
    for (let done = 1; done <= 100; done++) {
      clock.ms += 100;
      progress.update(done, done > 50 ? '1 refused' : '');
    }
    progress.stop();
    expect(streams.stderr.text).toBe('paying: 50 of 100\npaying: 100 of 100, 1 refused\n');
  });

  it('is silent under --json', () => {
    const streams = new FakeStreams(true);
    const progress = startProgress(new Output(streams, true), 'paying', 10, 0);
    progress.update(10, '');
    progress.stop();
    expect(streams.stderr.text + streams.stdout.text).toBe('');
  });
});

describe('suggestions', () => {
  it('name what was probably meant, or nothing', () => {
    const words = ['from', 'to', 'amount', 'currency', 'reference'] as const;
    expect(nearest('amout', words)).toBe('amount');
    expect(nearest('Form', words)).toBe('from');
    expect(nearest('refrence', words)).toBe('reference');
    expect(nearest('x', words)).toBeUndefined();
    expect(nearest('quantity', words)).toBeUndefined();
  });
});
