import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { main } from '../../src/cli/main.ts';
import { createProgram } from '../../src/cli/program.ts';
import { FakeStreams } from '../unit/cli/fake-streams.ts';
import { CommandStage } from './cli-stage.ts';

const stage = new CommandStage();
afterAll(() => stage.close());

interface Leaf {
  readonly path: string[];
  readonly command: Command;
}

function leaves(command: Command, path: string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

const program = await createProgram({ streams: new FakeStreams(), exitCode: EXIT.OK }, []);
const commands = leaves(program);
const manual = readFileSync(new URL('../../docs/CLI.md', import.meta.url), 'utf8');

async function inProcess(...argv: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const streams = new FakeStreams();
  const exitCode = await main(argv, streams);
  return { exitCode, stdout: streams.stdout.text, stderr: streams.stderr.text };
}

describe('help', () => {
  it('knows all the commands', () => {
    expect(commands.map(({ path }) => path.join(' '))).toEqual(
      expect.arrayContaining([
        'demo',
        'serve',
        'enroll',
        'customers list',
        'customers disable',
        'accounts open',
        'accounts list',
        'fund',
        'pay',
        'send',
        'balance',
        'history',
        'receipt verify',
        'ledger export',
        'ledger verify',
        'keys show',
        'keys rotate',
        'keys pepper',
      ]),
    );
  });

  it.each(commands.map(({ path }) => path.join(' ')))(
    '%s --help: usage, options and an example, on stdout, at 100 columns',
    async (name) => {
      const { exitCode, stdout, stderr } = await inProcess(...name.split(' '), '--help');
      expect([exitCode, stderr]).toEqual([EXIT.OK, '']);
      expect(stdout).toContain(`Usage: sallyport ${name}`);
      expect(stdout).toContain('Examples:');
      for (const line of stdout.split('\n')) {
        if (!line.startsWith('  $')) expect(line.length, line).toBeLessThanOrEqual(100);
      }
    },
  );

  it('is the manual as well: every command and option is in docs/CLI.md', () => {
    const missing = commands.flatMap(({ path, command }) => {
      const heading = `sallyport ${path.join(' ')}`;
      const options = command.options.filter((option) => !option.hidden).map((option) => option.long ?? '');
      return [heading, ...options].filter((word) => !manual.includes(word));
    });
    expect(missing).toEqual([]);
  });

  it('comes without a command, for a group, and for a command by name', async () => {
    expect(await inProcess()).toMatchObject({ exitCode: EXIT.OK, stdout: expect.stringContaining('For customers:') });
    const group = await inProcess('accounts');
    expect(group).toMatchObject({ exitCode: EXIT.USAGE, stderr: expect.stringContaining('Usage: sallyport accounts') });
    expect((await inProcess('help', 'pay')).stdout).toContain('Usage: sallyport pay');
    expect((await inProcess('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('mistakes', () => {
  it.each<[string[], string | RegExp]>([
    [['srve'], 'error: unknown command \'srve\'\n  Did you mean serve? See "sallyport --help".\n'],
    [['accounts', 'lst'], 'error: unknown command \'lst\'\n  Did you mean list? See "sallyport accounts --help".\n'],
    [
      ['balance', '--custmer', 'x'],
      'error: unknown option \'--custmer\'\n  Did you mean --customer? See "sallyport balance --help".\n',
    ],
    [['balance'], 'error: no customer file is named\n  Name it with --customer FILE, or in SALLYPORT_CUSTOMER.\n'],
    [
      ['history', '--customer', 'x'],
      'error: missing required argument \'account\'\n  See "sallyport history --help".\n',
    ],
    [
      ['history', 'a', '--customer', 'x', '--limit', '101'],
      "error: option '--limit <count>' argument '101' is invalid. It must be a whole number from 1 to 100.\n  See \"sallyport history --help\".\n",
    ],
    [
      ['pay', '--customer', 'x', '--retry-for', 'soon'],
      "error: option '--retry-for <duration>' argument 'soon' is invalid. It must be a duration such as 500ms, 30s, 5m or 1h.\n  See \"sallyport pay --help\".\n",
    ],
    [
      ['pay', '--customer', 'x', '--batch', 'b', '--to', 'y'],
      'error: --to has no meaning with --batch\n  Leave one of them out.\n',
    ],
    [['enroll', 'a', '--profile', 'Email'], /It must be tag=value/],
    [['enroll', 'a', '--server', 'nowhere'], /It must be host:port/],
  ])('%j: one clear sentence and what to do, exit code 2', async (argv, expected) => {
    const { exitCode, stdout, stderr } = await inProcess(...argv);
    expect([exitCode, stdout]).toEqual([EXIT.USAGE, '']);
    if (typeof expected === 'string') expect(stderr).toBe(expected);
    else expect(stderr).toMatch(expected);
  });

  it('are JSON on stderr under --json', async () => {
    const { exitCode, stdout, stderr } = await inProcess('balance', '--custmer', 'x', '--json');
    expect([exitCode, stdout]).toEqual([EXIT.USAGE, '']);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'USAGE',
        message: "unknown option '--custmer'",
        advice: 'Did you mean --customer? See "sallyport balance --help".',
        exitCode: EXIT.USAGE,
      },
    });
  });
});

describe('the launcher', () => {
  it('gives the exit code to the shell, data to stdout and words to stderr', async () => {
    expect(await stage.run('--version')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await stage.run('balance', '--customer', 'missing.json')).toEqual({
      exitCode: EXIT.USAGE,
      stdout: '',
      stderr:
        'error: cannot read the customer file missing.json: there is no such file\n  The file was left as it was.\n',
    });
  });

  it('takes the customer file from the environment', async () => {
    const { stderr } = await stage.runWith({ SALLYPORT_CUSTOMER: 'elsewhere.json' }, 'balance');
    expect(stderr).toContain('elsewhere.json');
  });
});

describe('exit codes', () => {
  it('are the table of docs/CLI.md', () => {
    const rows = [...manual.matchAll(/^\| (\d+) \| `([A-Z]+)` \|/gm)].map(([, code, name]) => [name, Number(code)]);
    expect(rows).toEqual(Object.entries(EXIT));
  });
});
