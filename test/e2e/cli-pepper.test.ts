import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { CommandStage } from './cli-stage.ts';

/** A change of pepper from its first step to its last, beside a running server. */

const stage = new CommandStage();
let reload: () => Promise<void>;
let at: string;

beforeAll(async () => {
  const { server, announcement } = await stage.serve();
  await stage.enroll('alice', '10.00');
  await stage.enroll('bob');
  at = `127.0.0.1:${announcement.firstPort.port}`;
  let reloads = 0;
  reload = async () => {
    reloads += 1;
    server.kill('SIGHUP');
    const count = (): number => readFileSync(stage.path('server.log'), 'utf8').split('"event":"reloaded"').length - 1;
    await expect.poll(count, { timeout: 10_000 }).toBe(reloads);
  };
});
afterAll(() => stage.close());

const peppers = async (...args: string[]): Promise<unknown> =>
  (await stage.json<{ peppers: unknown }>('keys', 'pepper', ...args)).peppers;
const file = (version: number): string => stage.path(`sallyport-state/pepper.${version}`);
const comesIn = async (customerFile: string): Promise<boolean> =>
  (await stage.run('balance', '--customer', customerFile)).exitCode === EXIT.OK;
const anew = async (name: string, to: string): Promise<void> => {
  await stage.json('enroll', name, '--replace', '--profile', `email=${name}@example.com`, '--file', to, '--server', at);
};
async function refusal(...args: string[]): Promise<{ code: string; message: string }> {
  const { exitCode, stderr } = await stage.run('keys', 'pepper', ...args, '--json');
  expect(exitCode).toBe(EXIT.REFUSED);
  return (JSON.parse(stderr) as { error: { code: string; message: string } }).error;
}

describe('a change of pepper', () => {
  it('makes the next one, which nobody needs yet, and keeps the one that is needed', async () => {
    const first = readFileSync(file(1));
    expect(await peppers()).toEqual([{ version: 1, role: 'current', enrolments: 2 }]);
    expect(await peppers('--next')).toEqual([
      { version: 1, role: 'past', enrolments: 2 },
      { version: 2, role: 'current', enrolments: 0 },
    ]);
    expect(readFileSync(file(1))).toEqual(first);
    expect(readFileSync(file(2))).toHaveLength(32);
    expect(readFileSync(file(2))).not.toEqual(first);
    expect(statSync(file(2)).mode & 0o777).toBe(0o600);
    expect(readdirSync(stage.path('sallyport-state')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('removes none that is needed, nor the newest, nor one that is not there', async () => {
    expect(await refusal('--remove', '1')).toMatchObject({
      code: 'STILL_USED',
      message: 'pepper 1 is needed by 2 enrolments',
    });
    expect(await refusal('--remove', '2')).toMatchObject({
      code: 'STILL_USED',
      message: expect.stringContaining('newest'),
    });
    expect(await refusal('--remove', '3')).toMatchObject({ code: 'NOT_FOUND' });
    expect([file(1), file(2)].map((path) => existsSync(path))).toEqual([true, true]);
    expect((await stage.run('keys', 'pepper', '--next', '--remove', '1')).exitCode).toBe(EXIT.USAGE);
  });

  it('is taken up by a reload: who is enrolled anew comes in then, by the new file alone', async () => {
    await anew('alice', 'alice-2.json');
    expect([await comesIn('alice.json'), await comesIn('alice-2.json')]).toEqual([false, false]);
    await reload();
    expect([await comesIn('alice.json'), await comesIn('alice-2.json'), await comesIn('bob.json')]).toEqual([
      false,
      true,
      true,
    ]);
    const { accounts } = await stage.json<{ accounts: unknown[] }>('balance', '--customer', 'alice-2.json');
    expect(accounts).toMatchObject([{ id: 'alice.eur', balance: '10.00' }]);
    expect(await refusal('--remove', '1')).toMatchObject({ message: 'pepper 1 is needed by 1 enrolment' });
  });

  it('ends with the old one’s removal, and the server goes on', async () => {
    await anew('bob', 'bob-2.json');
    expect(await peppers('--remove', '1')).toEqual([{ version: 2, role: 'current', enrolments: 2 }]);
    expect(existsSync(file(1))).toBe(false);
    await reload();
    expect([await comesIn('alice-2.json'), await comesIn('bob-2.json'), await comesIn('bob.json')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(await stage.json('ledger', 'verify')).toMatchObject({ verified: true, customers: 2 });
  });

  it('that was lost is named, and another never takes its number', async () => {
    renameSync(file(2), stage.path('lost'));
    const { exitCode, stderr } = await stage.run('serve', '--first-port', '0', '--second-ports', 'any:4');
    expect([exitCode, stderr]).toEqual([EXIT.USAGE, expect.stringContaining('a ledger and no pepper.* beside it')]);
    expect((await stage.run('enroll', 'carol')).stderr).toContain('no pepper.* beside it');
    const shown = await stage.run('keys', 'pepper');
    expect(shown.stdout).toMatch(/2 +missing +2\n/);
    expect(shown.stderr).toContain('pepper.2 is not there: restore it, or enroll its 2 customers anew');
    expect(await peppers('--next')).toEqual([
      { version: 2, role: 'missing', enrolments: 2 },
      { version: 3, role: 'current', enrolments: 0 },
    ]);
  });
});
