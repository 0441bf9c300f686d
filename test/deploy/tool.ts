import { spawnSync } from 'node:child_process';

/** A program that is not this project's own, of the system's packages; .ci/tools installs it. */
export interface Tool {
  readonly present: boolean;
  /** For the name of a test: says when the program is missing. */
  readonly where: string;
  run(...args: string[]): ToolEnd;
  /** With something on its standard input. */
  feed(input: string, ...args: string[]): ToolEnd;
}

export interface ToolEnd {
  readonly exitCode: number | null;
  /** Standard output and standard error, one after the other. */
  readonly text: string;
}

const PATIENCE_MS = 30_000;

/** `command`: program and first arguments; `probe` makes it answer with exit code 0 when it is there. */
export function findTool(command: readonly [string, ...string[]], probe: string): Tool {
  const feed = (input: string, ...args: string[]): ToolEnd => {
    const [program, ...first] = command;
    const end = spawnSync(program, [...first, ...args], { input, encoding: 'utf8', timeout: PATIENCE_MS });
    return { exitCode: end.error === undefined ? end.status : null, text: `${end.stdout ?? ''}${end.stderr ?? ''}` };
  };
  const present = feed('', probe).exitCode === 0;
  const name = command.join(' ');
  if (!present) process.stderr.write(`${name} is not there: what it looks at is NOT looked at (sudo .ci/tools).\n`);
  return {
    present,
    where: present ? `by ${name}` : `by ${name}: LEFT OUT, it is not installed`,
    run: (...args) => feed('', ...args),
    feed,
  };
}
