/** One run of the command line: its streams, what it answers to the shell, and how a command's action is tied to both. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Output, type Streams } from './output.ts';

export interface Invocation {
  readonly streams: Streams;
  /** Set by the action that ran. */
  exitCode: ExitCode;
}

/** A command file's one export: adds its command to the parent. */
export type Register = (parent: Command, invocation: Invocation) => void;

export type Action<Options> = (
  args: readonly string[],
  options: Options,
  output: Output,
) => Promise<ExitCode | undefined> | Promise<void>;

/** Runs `action` when the command is chosen; what it returns (or 0) becomes the exit code. Errors are reported by `main`. */
export function onAction<Options>(command: Command, invocation: Invocation, action: Action<Options>): void {
  command.action(async (...received: unknown[]) => {
    const options = command.opts() as Options & { readonly json?: boolean };
    const args = received
      .slice(0, -2)
      .flat()
      .filter((value) => typeof value === 'string');
    const output = new Output(invocation.streams, options.json === true);
    invocation.exitCode = (await action(args, options, output)) ?? EXIT.OK;
  });
}

/** Every command has it: data as one JSON document on stdout, errors as JSON on stderr. */
export function jsonOption(): Option {
  return new Option('--json', 'print data, warnings and errors as JSON');
}

/** The examples that stand below a command's options: what for, and the line to type. */
export function withExamples(command: Command, examples: readonly (readonly [line: string, what: string])[]): void {
  const lines = examples.map(([line, what]) => `  # ${what}\n  $ ${line}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** Reads a whole number within bounds, for an option. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads a duration such as 500ms, 30s, 5m or 1h, for an option; gives milliseconds. */
export function durationMs(text: string): number {
  const match = /^(\d{1,6})(ms|s|m|h)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a duration such as 500ms, 30s, 5m or 1h.');
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}
