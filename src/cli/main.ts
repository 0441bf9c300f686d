/** The command line: argument vector in, exit code out. */

import { type Command, CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { Output, type Streams, UsageError } from './output.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command. `argv` has neither interpreter nor script; the streams are the process's own unless a test brings others. Resolves
 * to the exit code of docs/CLI.md and never rejects.
 */
export async function main(argv: readonly string[], streams: Streams = process): Promise<ExitCode> {
  if (streams === process) outliveClosedPipes(process.stdout, process.stderr);
  const invocation: Invocation = { streams, exitCode: EXIT.OK };
  const program = await createProgram(invocation, argv);
  try {
    await program.parseAsync(argv.length === 0 ? ['--help'] : [...argv], { from: 'user' });
    return invocation.exitCode;
  } catch (error) {
    const output = new Output(streams, wantsJson(argv));
    if (!(error instanceof CommanderError)) return output.failure(error);
    // Help and version were printed: by request with 0, or because a group was called without a command.
    if (/^commander\.(help|helpDisplayed|version)$/.test(error.code)) {
      return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    }
    return output.failure(usageErrorOf(error, program, argv));
  }
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).includes('--json');
}

/** Commander's "error: unknown option '--x'\n(Did you mean --y?)" as a sentence and an advice. */
function usageErrorOf(error: CommanderError, program: Command, argv: readonly string[]): UsageError {
  const [sentence = '', suggestion = ''] = error.message.replace(/^error: /, '').split('\n');
  const meant = suggestion.replace(/^\(|\)$/g, '');
  const help = `See "${pathOf(program, argv).join(' ')} --help".`;
  return new UsageError(sentence, meant === '' ? help : `${meant} ${help}`);
}

/** The names of the command that was addressed, as far as they exist. */
function pathOf(program: Command, argv: readonly string[]): string[] {
  const path = [program.name()];
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) break;
    path.push(word);
    command = next;
  }
  return path;
}

/** A reader that went away (| head) ends the showing, not the work: a payment is still receipted. */
function outliveClosedPipes(...pipes: NodeJS.WriteStream[]): void {
  for (const pipe of pipes) {
    pipe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
