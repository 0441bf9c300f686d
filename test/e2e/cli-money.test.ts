import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { type Announcement, CommandStage, endOf, payment } from './cli-stage.ts';

/** The commands of operator and customers against a running server, each a process of its own. */

const stage = new CommandStage();
let announcement: Announcement;

beforeAll(async () => {
  ({ announcement } = await stage.serve());
  await stage.enroll('alice', '100.00');
  await stage.enroll('bob');
});
afterAll(() => stage.close());

const ALICE = ['--customer', 'alice.json'];

interface Balances {
  readonly accounts: readonly { readonly id: string; readonly balance: string }[];
}

async function balanceOf(name: string): Promise<string> {
  const { accounts } = await stage.json<Balances>('balance', '--customer', `${name}.json`);
  return accounts.find(({ id }) => id === `${name}.eur`)!.balance;
}

async function errorOf(
  ...args: string[]
): Promise<{ exitCode: number | null; code: string; message: string; advice: string }> {
  const { exitCode, stdout, stderr } = await stage.run(...args, '--json');
  expect(stdout).toBe('');
  const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!);
  expect(error.exitCode).toBe(exitCode);
  return { exitCode, ...error };
}

describe('enrolling', () => {
  it('writes a private file with everything, and never over another one', async () => {
    expect(statSync(stage.path('alice.json')).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(stage.path('alice.json'), 'utf8'))).toMatchObject({
      sallyport: 'customer',
      customer: 'alice',
      profile: { email: 'alice@example.com' },
      hostKey: announcement.hostKey,
      server: { host: '127.0.0.1', port: announcement.firstPort.port },
    });
    const before = readFileSync(stage.path('alice.json'));
    expect(await errorOf('enroll', 'alice')).toMatchObject({ exitCode: EXIT.REFUSED, code: 'ALREADY_EXISTS' });
    expect(readFileSync(stage.path('alice.json'))).toEqual(before);
  });

  it('leaves no file for a customer that is not enrolled', async () => {
    expect(await errorOf('enroll', 'alice', '--file', 'second.json')).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(() => statSync(stage.path('second.json'))).toThrow('ENOENT');
    expect(await errorOf('enroll', 'Nobody')).toMatchObject({ exitCode: EXIT.USAGE });
    expect(() => statSync(stage.path('Nobody.json'))).toThrow('ENOENT');
  });

  it('needs a state directory that is there', async () => {
    const error = await errorOf('customers', 'list', '--state', 'elsewhere');
    expect(error).toMatchObject({ exitCode: EXIT.REFUSED, code: 'NOT_FOUND' });
    expect(error.message).toContain('"sallyport serve" makes it');
  });
});

describe('paying', () => {
  it('moves money, and says so to a person', async () => {
    const { exitCode, stdout, stderr } = await stage.run(...payment('alice', 'bob', '12.50'), '--reference', 'lunch');
    expect(exitCode).toBe(EXIT.OK);
    expect(stdout).toMatch(/^✓ paid 12\.50 EUR from alice\.eur to bob\.eur\n {2}sequence {2}\d+\n {2}time {6}20\d\d-/);
    expect(stderr).toMatch(/^transaction [0-9a-f]{32}\n$/);
    expect(await balanceOf('bob')).toBe('12.50');
  });

  it('asked again with its id pays nothing and gives the same receipt', async () => {
    const first = await stage.json<{ transactionId: string; sequence: string }>(...payment('alice', 'bob', '1.00'));
    const again = await stage.json<{ transactionId: string; sequence: string }>(
      ...payment('alice', 'bob', '1.00'),
      '--id',
      first.transactionId,
    );
    expect(again).toEqual(first);
    expect(await balanceOf('bob')).toBe('13.50');
    const conflict = await errorOf(...payment('alice', 'bob', '2.00'), '--id', first.transactionId);
    expect(conflict).toMatchObject({ exitCode: EXIT.REFUSED, code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('refused by the ledger ends with 1 and the reason, as data', async () => {
    const { exitCode, stdout } = await stage.run(...payment('bob', 'alice', '1000.00'), '--json');
    expect(exitCode).toBe(EXIT.REFUSED);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'insufficient-funds', outcome: 'refused', receiptFile: null });
    const person = await stage.run(...payment('bob', 'nobody', '1.00'));
    expect(person.exitCode).toBe(EXIT.REFUSED);
    expect(person.stdout).toContain('credit-account-not-found (there is no such account)');
  });

  it('of a wrong amount is not even tried', async () => {
    expect(await errorOf(...payment('alice', 'bob', '1.005'))).toMatchObject({
      exitCode: EXIT.USAGE,
      message: expect.stringContaining('more decimals'),
    });
    expect(await errorOf('pay', ...ALICE, '--to', 'bob.eur')).toMatchObject({
      message: 'a payment needs --from, --amount, --currency',
    });
  });

  it('from an account of somebody else is refused', async () => {
    const { exitCode, stdout } = await stage.run(
      'pay',
      '--customer',
      'bob.json',
      '--from',
      'alice.eur',
      '--to',
      'bob.eur',
      '--amount',
      '1',
      '--currency',
      'EUR',
      '--json',
    );
    expect([exitCode, JSON.parse(stdout).status]).toEqual([EXIT.REFUSED, 'debit-account-not-found']);
  });
});

describe('documents, balances and history', () => {
  it('sends any document; one that nobody processes is refused with a sentence', async () => {
    writeFileSync(stage.path('transfer.json'), '{"from":"alice.eur","to":"bob.eur","amount":"0.50","currency":"EUR"}');
    const sent = await stage.json(
      'send',
      'transfer.json',
      '--type',
      'application/vnd.sallyport.transfer+json',
      ...ALICE,
      '--receipt',
      'sent.json',
    );
    expect(sent).toMatchObject({ outcome: 'processed', result: '{"status":"committed"}', receiptFile: 'sent.json' });
    expect((await stage.run('receipt', 'verify', 'sent.json', ...ALICE)).exitCode).toBe(EXIT.OK);
    const error = await errorOf('send', 'transfer.json', '--type', 'text/plain', ...ALICE);
    expect(error).toMatchObject({
      exitCode: EXIT.REFUSED,
      code: 'TRANSACTION_MALFORMED',
      message: expect.stringContaining('text/plain'),
    });
    expect(await errorOf('send', 'missing', '--type', 'a/b', ...ALICE)).toMatchObject({
      exitCode: EXIT.USAGE,
      code: 'BAD_FILE',
    });
  });

  it('shows balances and history as tables and as JSON, and only to their owner', async () => {
    const balance = await stage.run('balance', ...ALICE);
    expect(balance.stdout).toMatch(/^account +balance +currency +limit\nalice\.eur +86\.00 +EUR +0\.00\n$/);
    const history = await stage.json<{ entries: Record<string, string>[]; more: boolean; next?: string }>(
      'history',
      'alice.eur',
      ...ALICE,
      '--limit',
      '2',
    );
    expect(history.entries.map(({ amount }) => amount)).toEqual(['-0.50', '-1.00']);
    expect(history.more).toBe(true);
    const older = await stage.json<typeof history>('history', 'alice.eur', ...ALICE, '--before', history.next!);
    expect(older.entries.map(({ amount, reference }) => [amount, reference])).toEqual([
      ['-12.50', 'lunch'],
      ['100.00', ''],
    ]);
    expect(older.more).toBe(false);
    expect(await errorOf('history', 'bob.eur', ...ALICE)).toMatchObject({ exitCode: EXIT.REFUSED, code: 'NOT_FOUND' });
  });
});

describe('receipts', () => {
  it('verify offline, each check by itself, against the pinned key', async () => {
    await stage.json(...payment('alice', 'bob', '0.01'), '--receipt', 'receipt.json');
    const { exitCode, stdout } = await stage.run(
      'receipt',
      'verify',
      'receipt.json',
      '--host-key',
      announcement.hostKey,
    );
    expect(exitCode).toBe(EXIT.OK);
    expect(stdout.match(/✓/g)).toHaveLength(6);
    expect(stdout).toContain('receipt.json is a valid receipt.');
  });

  it('that were changed do not', async () => {
    const file = JSON.parse(readFileSync(stage.path('receipt.json'), 'utf8'));
    const document = Buffer.from(file.document, 'base64').toString().replace('0.01', '9.01');
    writeFileSync(
      stage.path('changed.json'),
      JSON.stringify({ ...file, document: Buffer.from(document).toString('base64') }),
    );
    const { exitCode, stdout } = await stage.run('receipt', 'verify', 'changed.json', '--json');
    expect(exitCode).toBe(EXIT.REFUSED);
    const { valid, checks } = JSON.parse(stdout);
    expect(valid).toBe(false);
    expect(checks.filter(({ passed }: { passed: boolean }) => !passed)).toMatchObject([{ name: 'document' }]);
    const stranger = await stage.run('receipt', 'verify', 'receipt.json', '--host-key', 'ab'.repeat(32));
    expect([stranger.exitCode, stranger.stdout.includes('✗ pinned key')]).toEqual([EXIT.REFUSED, true]);
  });
});

describe('identity', () => {
  it.each([
    ['credential', { credential: 'ab'.repeat(32) }],
    ['profile', { profile: { email: 'mallory@example.com' } }],
    ['customer', { customer: 'nobody' }],
  ])('with a wrong %s is not verified: the same answer for all three', async (_, change) => {
    const file = JSON.parse(readFileSync(stage.path('alice.json'), 'utf8'));
    writeFileSync(stage.path('wrong.json'), JSON.stringify({ ...file, ...change }), { mode: 0o600 });
    expect(await errorOf('balance', '--customer', 'wrong.json')).toMatchObject({
      exitCode: EXIT.IDENTITY,
      code: 'AUTH_FAILED',
    });
  });

  it('of a disabled customer is not verified, until it is enabled again', async () => {
    await stage.json('customers', 'disable', 'bob');
    expect(await errorOf('balance', '--customer', 'bob.json')).toMatchObject({ code: 'AUTH_FAILED' });
    await stage.json('customers', 'enable', 'bob');
    expect(await balanceOf('bob')).toBe('14.01');
  });

  it('of another server is a hard stop, with both fingerprints', async () => {
    const file = JSON.parse(readFileSync(stage.path('alice.json'), 'utf8'));
    writeFileSync(stage.path('pinned.json'), JSON.stringify({ ...file, hostKey: 'cd'.repeat(32) }), { mode: 0o600 });
    const error = await errorOf('balance', '--customer', 'pinned.json');
    expect(error).toMatchObject({ exitCode: EXIT.IDENTITY, code: 'HOST_KEY_MISMATCH' });
    expect(error.message).toContain(announcement.fingerprint);
    expect(error.advice).toContain('do not go on');
  });

  it('of a server met for the first time is asked of a person, and of nobody else', async () => {
    await stage.json('enroll', 'carol', '--trust', 'tofu', '--server', `127.0.0.1:${announcement.firstPort.port}`);
    expect(JSON.parse(readFileSync(stage.path('carol.json'), 'utf8'))).not.toHaveProperty('hostKey');
    expect(await errorOf('balance', '--customer', 'carol.json')).toMatchObject({
      code: 'HOST_KEY_MISMATCH',
      message: expect.stringContaining('none is pinned'),
    });
  });

  it('in a file that others can read is not used', async () => {
    const file = readFileSync(stage.path('alice.json'));
    writeFileSync(stage.path('open.json'), file);
    chmodSync(stage.path('open.json'), 0o644);
    expect(await errorOf('balance', '--customer', 'open.json')).toMatchObject({
      exitCode: EXIT.USAGE,
      message: expect.stringContaining('chmod 600'),
    });
  });
});

describe('the example of the library', () => {
  it('pays and shows its receipt and accounts', async () => {
    const example = fileURLToPath(new URL('../../examples/customer.ts', import.meta.url));
    const child = spawn(process.execPath, [example, 'alice.json', 'alice.eur', 'bob.eur', '0.01', 'EUR'], {
      cwd: stage.folder,
    });
    const { exitCode, stdout, stderr } = await endOf(child);
    expect([exitCode, stderr]).toEqual([EXIT.OK, '']);
    expect(stdout).toMatch(
      /^committed: transaction [0-9a-f]{32} is entry \d+ of the ledger\nreceipt valid: true\nalice\.eur: [\d.]+ EUR\n$/,
    );
  });
});

describe('the ledger', () => {
  it('adds up to zero, verifies, and is exported line by line beside the running server', async () => {
    const { accounts } = await stage.json<Balances>('accounts', 'list');
    expect(accounts.map(({ id }) => id)).toEqual(['alice.eur', 'bob.eur', 'operator.eur']);
    expect(accounts.reduce((sum, { balance }) => sum + BigInt(balance.replace('.', '')), 0n)).toBe(0n);
    expect(await stage.json('ledger', 'verify')).toMatchObject({ verified: true, findings: [], customers: 3 });
    const { stdout } = await stage.run('ledger', 'export');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1).kind).toBe('head');
    expect(lines.slice(0, -1).map(({ sequence }) => Number(sequence))).toEqual(
      lines.slice(0, -1).map((_, index) => index + 1),
    );
    expect((await stage.run('ledger', 'export', '--output', 'export.jsonl')).exitCode).toBe(EXIT.OK);
    expect(readFileSync(stage.path('export.jsonl'), 'utf8')).toBe(stdout);
    expect(stdout + readFileSync(stage.path('server.log'), 'utf8')).not.toContain('alice@example.com');
  });
});

describe('the host key', () => {
  it('changes without a customer noticing, and its old receipts still verify', async () => {
    await stage.json('keys', 'rotate');
    const { server } = await restart();
    await balanceOf('alice');
    const remembered = JSON.parse(readFileSync(stage.path('alice.json'), 'utf8'));
    expect(remembered).toMatchObject({
      hostKey: announcement.hostKey,
      nextHostKey: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await stage.json('keys', 'rotate', '--complete');
    server.kill('SIGTERM');
    await once(server, 'exit');
    const rotated = await stage.serve();
    expect(rotated.announcement.hostKey).toBe(remembered.nextHostKey);
    await balanceOf('alice');
    const after = JSON.parse(readFileSync(stage.path('alice.json'), 'utf8'));
    expect(after).toMatchObject({ hostKey: remembered.nextHostKey, pastHostKeys: [announcement.hostKey] });
    expect(after).not.toHaveProperty('nextHostKey');
    // Bob was not there during the announcement.
    expect(await errorOf('balance', '--customer', 'bob.json')).toMatchObject({ code: 'HOST_KEY_MISMATCH' });
    expect(await stage.json('ledger', 'verify')).toMatchObject({ verified: true });
    expect(statSync(stage.path('alice.json')).mode & 0o777).toBe(0o600);
  });

  async function restart() {
    process.kill(announcement.pid, 'SIGTERM');
    await expect.poll(() => stage.run('balance', ...ALICE).then(({ exitCode }) => exitCode)).toBe(EXIT.RETRY);
    return stage.serve();
  }
});
