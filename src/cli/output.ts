/**
 * Everything the command line shows. Data goes to stdout, words about what happens and errors to stderr, so that a pipe gets data alone.
 * Colour is node:util's decision (a terminal, no NO_COLOR, or FORCE_COLOR); no text from a peer or a file reaches a terminal raw.
 */

import { Writable } from 'node:stream';
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { SallyportError } from '../errors.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';

/** The part of a terminal or pipe that is used here. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Streams {
  readonly stdout: TextStream & NodeJS.WritableStream;
  readonly stderr: TextStream & NodeJS.WritableStream;
}

export type TextFormat = Parameters<typeof styleText>[0];

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  readonly value: (row: Row) => string;
  readonly format?: (row: Row) => TextFormat | undefined;
}

/** Wide enough for the longest sentence to be read at a glance, when the stream is no terminal and states no width. */
const COLUMNS_DEFAULT = 100;

// C0, DEL and C1 controls, and the invisible characters that reorder text (Unicode TR36 §2.5): what a reference or a server's
// sentence could use to repaint the screen.
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text of others, made safe for one line of a terminal: every control character becomes U+FFFD. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}

/** First and last 8 digits of a long hex value with its length in bits: enough to compare by eye, useless as a value. */
export function abbreviateHex(hex: string): string {
  const bits = `${hex.length * 4} bits`;
  return hex.length <= 20 ? `${hex} (${bits})` : `${hex.slice(0, 8)} … ${hex.slice(-8)} (${bits})`;
}

export class Output {
  readonly #streams: Streams;
  /** Whether data and errors are printed as JSON. */
  readonly json: boolean;

  constructor(streams: Streams, json: boolean) {
    this.#streams = streams;
    this.json = json;
  }

  /** Whether a person watches stderr: progress bars and questions make sense. */
  get interactive(): boolean {
    return this.#streams.stderr.isTTY === true && !this.json;
  }

  /** An output that says nothing: for the second of several that would all say the same. */
  silent(): Output {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    return new Output({ stdout: nowhere, stderr: nowhere }, this.json);
  }

  get columns(): number {
    return this.#streams.stdout.columns ?? COLUMNS_DEFAULT;
  }

  get stderr(): NodeJS.WritableStream {
    return this.#streams.stderr;
  }

  /** Styles text for stdout; plain where stdout takes no colour. */
  style(format: TextFormat, text: string): string {
    return styleText(format, text, { stream: this.#streams.stdout });
  }

  /** One line of data. */
  line(text = ''): void {
    this.#streams.stdout.write(`${text}\n`);
  }

  /** One JSON document on stdout. */
  document(value: unknown): void {
    this.#streams.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One JSON value on one line of stdout, for events in a stream. */
  jsonLine(value: unknown): void {
    this.#streams.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A remark for the person; nothing under --json, where stdout and stderr belong to programs. */
  note(text: string): void {
    if (!this.json) this.#streams.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.#streams.stderr.write(
      this.json
        ? `${JSON.stringify({ warning: text })}\n`
        : `${styleText('yellow', 'warning:', { stream: this.#streams.stderr })} ${printable(text)}\n`,
    );
  }

  /** Rows under titles, aligned by two spaces; or one sentence when there are none. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], whenEmpty: string): void {
    if (rows.length === 0) {
      this.note(whenEmpty);
      return;
    }
    const table = borderless(columns.map((column) => column.align ?? 'left'));
    table.push(columns.map((column) => this.style(['bold', 'dim'], column.title)));
    for (const row of rows) {
      table.push(
        columns.map((column) => {
          const text = printable(column.value(row));
          const format = column.format?.(row);
          return format === undefined ? text : this.style(format, text);
        }),
      );
    }
    this.line(trimLines(table.toString()));
  }

  /** Names and values, one pair a line, the values aligned. */
  pairs(pairs: readonly (readonly [name: string, value: string])[]): void {
    const width = Math.max(...pairs.map(([name]) => name.length));
    for (const [name, value] of pairs) {
      this.line(`${this.style('dim', name.padEnd(width))}  ${printable(value)}`);
    }
  }

  /** Says what happened, to what, and what to do next; gives the exit code that belongs to it. */
  failure(error: unknown): ExitCode {
    const report = describeFailure(error);
    if (this.json) {
      this.#streams.stderr.write(`${JSON.stringify({ error: report })}\n`);
    } else {
      const { stderr } = this.#streams;
      const [first = '', ...more] = report.message.split('\n');
      stderr.write(`${styleText(['red', 'bold'], 'error:', { stream: stderr })} ${printable(first)}\n`);
      for (const line of more) stderr.write(`  ${printable(line)}\n`);
      if (report.advice !== '') stderr.write(`  ${styleText('dim', report.advice, { stream: stderr })}\n`);
    }
    return report.exitCode;
  }
}

export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
  readonly exitCode: ExitCode;
  readonly transactionId?: string;
  readonly retryAfterMs?: number;
}

/** A command that did not do what it is there for, in its own words and with its own exit code. */
export class CommandError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly advice: string;

  constructor(code: string, exitCode: ExitCode, message: string, advice: string) {
    super(message);
    this.name = 'CommandError';
    this.code = code;
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** A wrong option, argument or combination of them: the person who typed it can put it right. */
export class UsageError extends CommandError {
  constructor(message: string, advice = '') {
    super('USAGE', EXIT.USAGE, message, advice);
    this.name = 'UsageError';
  }
}

/** What --json prints on stderr, and what the sentences are made from. */
export function describeFailure(error: unknown): FailureReport {
  if (error instanceof SallyportError) {
    return {
      code: error.code,
      message: error.message,
      advice: error.advice,
      exitCode: exitCodeOf(error.code),
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
      ...(error.transactionId === undefined ? {} : { transactionId: error.transactionId }),
    };
  }
  if (error instanceof CommandError) {
    return { code: error.code, message: error.message, advice: error.advice, exitCode: error.exitCode };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    code: 'BUG',
    message: `this is a bug in sallyport\n${text}`,
    advice: 'Nothing that was receipted is lost. Please report it with the lines above.',
    exitCode: EXIT.INTERNAL,
  };
}

const NO_BORDERS = Object.fromEntries(
  (['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'] as const).map(
    (name) => [name, ''],
  ),
);

function borderless(colAligns: ('left' | 'right')[]): Table.Table {
  return new Table({
    chars: {
      ...NO_BORDERS,
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '  ',
    },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colAligns,
  });
}

function trimLines(text: string): string {
  return text.replace(/[ ]+$/gm, '');
}
