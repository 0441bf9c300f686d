import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJournal } from '../../src/cli/batch/journal.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { CommandStage, endOf } from './cli-stage.ts';

/** Batches that are cut off, by whatever: each payment takes effect exactly once. */

const stage = new CommandStage();
let server: ChildProcess;

beforeAll(async () => {
  ({ server } = await stage.serve('--groups', 'ffdhe2048,ffdhe3072'));
  await stage.enroll('alice', '100000.00');
  await stage.enroll('bob');
});
afterAll(() => stage.close());

function writeBatch(name: string, rows: number): string[] {
  const lines = Array.from({ length: rows }, (_, index) => `bob.eur,0.01,${name} ${index + 1}`);
  writeFileSync(stage.path(name), ['to,amount,reference', ...lines, ''].join('\n'));
  return ['pay', '--customer', 'alice.json', '--batch', name, '--from', 'alice.eur', '--currency', 'EUR'];
}

interface Summary {
  readonly rows: number;
  readonly committed: number;
  readonly refused: readonly { line: number; status: string }[];
  readonly resumed: number;
  readonly open: number;
  readonly complete: boolean;
}

/** References of bob's credits that begin with `name`, from the ledger itself. */
async function creditsOf(name: string): Promise<string[]> {
  const { stdout } = await stage.run('ledger', 'export');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .flatMap((entry) => entry.transfers ?? [])
    .filter(({ to, reference }) => to === 'bob.eur' && reference.startsWith(`${name} `))
    .map(({ reference }) => reference);
}

function expectOnce(credits: readonly string[], name: string, rows: number): void {
  expect(credits.toSorted()).toEqual(Array.from({ length: rows }, (_, index) => `${name} ${index + 1}`).toSorted());
}

/** Fulfilled when the journal has `count` settled rows, or the command ended before. */
async function settledRows(journal: string, count: number, child: ChildProcess): Promise<void> {
  await new Promise<void>((done) => {
    const look = (): void => {
      if (
        child.exitCode !== null ||
        (existsSync(journal) && readFileSync(journal, 'utf8').split('"settled"').length > count)
      ) {
        watcher.close();
        done();
      }
    };
    const watcher = watch(stage.folder, look);
    child.once('exit', look);
    look();
  });
}

describe('a batch', () => {
  it('killed in the middle, again and again, pays every row exactly once', async () => {
    const rows = 1_000;
    const command = [...writeBatch('killed.csv', rows), '--concurrency', '2', '--json'];
    const journal = stage.path('killed.csv.journal.jsonl');
    const killedAt: number[] = [];
    for (const after of [1, 250, 500]) {
      const child = stage.start(command);
      await settledRows(journal, after, child);
      child.kill('SIGKILL');
      await once(child, 'close');
      const reading = readJournal(readFileSync(journal));
      if (reading.kind !== 'state') throw new Error(`the journal is ${reading.kind} after a kill`);
      killedAt.push(reading.state.settled.size);
      expect(reading.state.ids).toHaveLength(rows);
    }
    // The kills hit their mark: work was done before each, and work was left after each.
    expect(killedAt[0]).toBeGreaterThan(0);
    expect(killedAt[1]).toBeGreaterThan(killedAt[0]!);
    expect(killedAt[2]).toBeLessThan(rows);
    const { exitCode, stdout } = await stage.run(...command);
    expect(exitCode).toBe(EXIT.OK);
    expect(JSON.parse(stdout) as Summary).toMatchObject({
      rows,
      committed: rows,
      resumed: killedAt[2],
      open: 0,
      complete: true,
    });
    expectOnce(await creditsOf('killed.csv'), 'killed.csv', rows);
    expect(statSync(journal).mode & 0o777).toBe(0o600);
    expect(existsSync(`${journal}.lock`)).toBe(false);
    // Once more: everything is settled, nothing is asked.
    expect(JSON.parse((await stage.run(...command)).stdout)).toMatchObject({ committed: rows, resumed: rows });
    expectOnce(await creditsOf('killed.csv'), 'killed.csv', rows);
  });

  it('outlives a kill and restart of the server in its middle', async () => {
    const rows = 300;
    const child = stage.start([...writeBatch('restart.csv', rows), '--retry-for', '60s', '--json']);
    await settledRows(stage.path('restart.csv.journal.jsonl'), 50, child);
    server.kill('SIGKILL');
    await once(server, 'exit');
    ({ server } = await stage.serve('--groups', 'ffdhe2048,ffdhe3072'));
    const { exitCode, stdout } = await endOf(child);
    expect(exitCode).toBe(EXIT.OK);
    expect(JSON.parse(stdout)).toMatchObject({ committed: rows, complete: true });
    expectOnce(await creditsOf('restart.csv'), 'restart.csv', rows);
  });

  it('interrupted waits for what is under way, says how to go on, and goes on', async () => {
    const rows = 600;
    const command = [...writeBatch('interrupted.csv', rows), '--concurrency', '1'];
    const child = stage.start(command);
    await settledRows(stage.path('interrupted.csv.journal.jsonl'), 20, child);
    child.kill('SIGINT');
    const { exitCode, stdout, stderr } = await endOf(child);
    expect(exitCode).toBe(EXIT.INTERRUPTED);
    expect(stderr).toContain('payments under way are waited for');
    expect(stdout).toContain('Run the same command again to go on; nothing is paid twice.');
    expect((await stage.run(...command)).exitCode).toBe(EXIT.OK);
    expectOnce(await creditsOf('interrupted.csv'), 'interrupted.csv', rows);
  });

  it('with wrong rows sends nothing, and names each', async () => {
    writeFileSync(stage.path('wrong.csv'), 'to,amount\nbob.eur,1\nbob.eur,1.234\nBob,2\n');
    const { exitCode, stderr } = await stage.run(
      'pay',
      '--customer',
      'alice.json',
      '--batch',
      'wrong.csv',
      '--from',
      'alice.eur',
      '--currency',
      'EUR',
    );
    expect(exitCode).toBe(EXIT.USAGE);
    expect(stderr).toContain('wrong.csv:3: amount "1.234" has more decimals than the 2 that EUR has');
    expect(stderr).toContain('wrong.csv:4: to "Bob" is not an account');
    expect(stderr).toContain('nothing of it was paid');
    expect(existsSync(stage.path('wrong.csv.journal.jsonl'))).toBe(false);
  });

  it('with payments that are refused pays the others, and ends with 1', async () => {
    writeFileSync(
      stage.path('mixed.jsonl'),
      '{"to":"bob.eur","amount":"0.01"}\n{"to":"nobody.eur","amount":"0.01"}\n{"to":"bob.eur","amount":"999999"}\n',
    );
    const command = [
      'pay',
      '--customer',
      'alice.json',
      '--batch',
      'mixed.jsonl',
      '--from',
      'alice.eur',
      '--currency',
      'EUR',
    ];
    const person = await stage.run(...command);
    expect(person.exitCode).toBe(EXIT.REFUSED);
    expect(person.stdout).toMatch(/ 2 +credit-account-not-found.*\n +3 +insufficient-funds/);
    expect(person.stdout).toContain('! 1 of 3 paid, 2 refused, 0 open');
    expect(person.stderr).toContain('paying: 3 of 3, 2 refused');
    const program = JSON.parse((await stage.run(...command, '--json')).stdout) as Summary;
    expect(program).toMatchObject({ committed: 1, resumed: 3, refused: [{ line: 2 }, { line: 3 }] });
  });

  it('that was changed after it was begun is refused', async () => {
    const command = writeBatch('changed.csv', 3);
    expect((await stage.run(...command)).exitCode).toBe(EXIT.OK);
    writeBatch('changed.csv', 4);
    const { exitCode, stderr } = await stage.run(...command);
    expect(exitCode).toBe(EXIT.USAGE);
    expect(stderr).toContain('these are not the payments that were begun');
    writeBatch('changed.csv', 3);
    expect((await stage.run(...command)).exitCode).toBe(EXIT.OK);
    expectOnce(await creditsOf('changed.csv'), 'changed.csv', 3);
  });

  it('leaves a ledger that verifies', async () => {
    expect(await stage.json('ledger', 'verify')).toMatchObject({ verified: true });
  });
});
