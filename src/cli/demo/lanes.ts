/** Two lanes on a terminal: the customer's steps on the left, the server's on the right, in the order in which they happened. */

import { printable, type TextFormat } from '../output.ts';

export type Side = 'customer' | 'server';

export interface LaneEntry {
  readonly side: Side;
  readonly number: number;
  readonly title: string;
  /** Names and values below the title. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly remark: string | undefined;
  /** Whether an arrow leaves to the other lane. */
  readonly sends: boolean;
}

export type Style = (format: TextFormat, text: string) => string;

const COLUMNS_MAX = 100;
/** Narrower, two lanes would break every line: the entries stand below each other instead. */
const COLUMNS_MIN = 84;
const GUTTER = 7;
const NUMBER_WIDTH = 4;
const COLOURS: Readonly<Record<Side, TextFormat>> = { customer: 'cyan', server: 'magenta' };

/** The lanes' heading and every line of an entry, for a terminal of so many columns. */
export class Lanes {
  readonly #style: Style;
  /** Columns of one lane; 0: one lane for both. */
  readonly #lane: number;
  readonly #columns: number;

  constructor(columns: number, style: Style) {
    this.#style = style;
    this.#columns = Math.min(columns, COLUMNS_MAX);
    this.#lane = columns < COLUMNS_MIN ? 0 : Math.floor((this.#columns - GUTTER) / 2);
  }

  heading(left: string, right: string): string[] {
    if (this.#lane === 0) return [];
    const rule = '─'.repeat(this.#lane);
    return [
      this.#row(
        this.#style(['bold', COLOURS.customer].flat() as TextFormat, left),
        left.length,
        '',
        this.#style(['bold', COLOURS.server].flat() as TextFormat, right),
      ),
      this.#style('dim', this.#row(rule, rule.length, '', rule)),
    ];
  }

  entry(entry: LaneEntry): string[] {
    const width = (this.#lane === 0 ? this.#columns - 10 : this.#lane) - NUMBER_WIDTH;
    const lines: { text: string; format: TextFormat | undefined }[] = [
      ...wrap(printable(entry.title), width).map((text) => ({ text, format: undefined })),
      ...factLines(entry.facts, width).map((text) => ({ text, format: 'dim' as const })),
      ...(entry.remark === undefined
        ? []
        : wrap(printable(entry.remark), width).map((text) => ({ text, format: 'yellow' as const }))),
    ];
    const number = String(entry.number).padStart(NUMBER_WIDTH - 2);
    return lines.map(({ text, format }, index) => {
      const lead =
        index === 0
          ? `${this.#style(['bold', COLOURS[entry.side]].flat() as TextFormat, number)}  `
          : ' '.repeat(NUMBER_WIDTH);
      const styled = lead + (format === undefined ? text : this.#style(format, text));
      return this.#place(entry, styled, NUMBER_WIDTH + text.length, index === 0 && entry.sends);
    });
  }

  #place(entry: LaneEntry, styled: string, length: number, sends: boolean): string {
    if (this.#lane === 0) return `${this.#style(COLOURS[entry.side], entry.side.padEnd(9))} ${styled}`;
    const arrow = entry.side === 'customer' ? ' ────▶ ' : ' ◀──── ';
    const gutter = sends ? this.#style('green', arrow) : '';
    return entry.side === 'customer' ? this.#row(styled, length, gutter, '') : this.#row('', 0, gutter, styled);
  }

  #row(left: string, leftLength: number, gutter: string, right: string): string {
    const padded = left + ' '.repeat(Math.max(0, this.#lane - leftLength));
    return `${padded}${gutter === '' ? ' '.repeat(GUTTER) : gutter}${right}`.replace(/ +$/, '');
  }
}

function factLines(facts: LaneEntry['facts'], width: number): string[] {
  const nameWidth = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.flatMap(([name, value]) => {
    const [first = '', ...more] = wrap(printable(value), width - nameWidth - 2);
    return [`${name.padEnd(nameWidth)}  ${first}`, ...more.map((line) => ' '.repeat(nameWidth + 2) + line)];
  });
}

/** Breaks at spaces; a word longer than the line is broken where the line ends. */
export function wrap(text: string, columns: number): string[] {
  const width = Math.max(1, columns);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && line.length + 1 + rest.length <= width) {
      line = `${line} ${rest}`;
      continue;
    }
    if (line !== '') lines.push(line);
    for (; rest.length > width; rest = rest.slice(width)) lines.push(rest.slice(0, width));
    line = rest;
  }
  return [...lines, line];
}
