import { type ChildProcess, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import type { PaymentSettlement } from '../../src/customer/index.ts';
import { payOnce, type Served, serveOnDisk, wrongWith } from './disk-server.ts';

/** A ledger that may only be read: found at the start, and lived through when it comes later. */

const LAUNCHER = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
/** The administrator may write to whatever is read-only, unless it has given up that power. */
const POWERLESS = process.getuid?.() === 0 ? 'setpriv --bounding-set=-all --inh-caps=-all ' : '';
const WRAPPER = `exec ${POWERLESS}"$0" "$@"`;
const usable = spawnSync('/bin/sh', ['-c', WRAPPER, 'true']).status === 0;
if (!usable) process.stderr.write('setpriv is not there: a read-only ledger is NOT tried.\n');

let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-read-only-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  const state = join(folder, 'state');
  if (existsSync(state)) chmodSync(state, 0o700);
  rmSync(folder, { recursive: true, force: true });
});

const open = (): Promise<Served> => serveOnDisk(folder, WRAPPER, (child) => running.push(child));
const newId = (): Uint8Array => new Uint8Array(randomBytes(16));

async function ended({ child }: Served): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await end;
}

describe.skipIf(!usable)('a ledger that may only be read', () => {
  it.each([
    ['the file', (path: string) => chmodSync(path, 0o400), (path: string) => chmodSync(path, 0o600)],
    [
      'its directory',
      (path: string) => chmodSync(dirname(path), 0o500),
      (path: string) => chmodSync(dirname(path), 0o700),
    ],
  ])('at the start (%s): said, by its name; nothing is changed, and all is well afterwards', async (_, take, give) => {
    const first = await open();
    const settled = [await payOnce(first, newId(), 0)];
    await ended(first);
    const before = readFileSync(first.ledgerPath);
    take(first.ledgerPath);
    const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
      spawnSync('/bin/sh', ['-c', WRAPPER, process.execPath, LAUNCHER, ...args, '--state', join(folder, 'state')], {
        encoding: 'utf8',
        timeout: 30_000,
      });
    const serve = run('serve', '--first-port', '0', '--second-ports', 'any:4');
    expect([serve.status, serve.stdout]).toEqual([EXIT.LEDGER, '']);
    expect(serve.stderr).toContain(`The ledger ${first.ledgerPath} cannot be written: EACCES`);
    expect(run('doctor', '--second-ports', 'any:4').stdout).toMatch(
      /✗ ledger +The ledger .* cannot be written: EACCES/,
    );
    expect(readFileSync(first.ledgerPath)).toEqual(before);
    give(first.ledgerPath);
    expect(run('accounts', 'open', 'bob.usd', '--owner', 'bob', '--currency', 'USD').status).toBe(EXIT.OK);
    expect(await wrongWith(first, settled)).toEqual([]);
  });

  it('from one moment on, when its thread dies: customers are told to wait, and it goes on when it may write again', async () => {
    const served = await open();
    const settled: PaymentSettlement[] = [await payOnce(served, newId(), 0)];
    const state = dirname(served.ledgerPath);
    chmodSync(served.ledgerPath, 0o400);
    chmodSync(state, 0o500);
    served.child.send('end the thread of the ledger');
    const id = newId();
    const refused = (): Promise<unknown> =>
      payOnce(served, id, 0).then(
        (settlement) => settlement,
        ({ code }) => code,
      );
    // The thread may not have ended yet: what is paid meanwhile is paid, under one id.
    await expect.poll(refused, { interval: 20, timeout: 20_000 }).toMatch(/BUSY|INTERNAL|OUTCOME_UNKNOWN/);
    expect(served.child.exitCode).toBeNull();
    chmodSync(state, 0o700);
    chmodSync(served.ledgerPath, 0o600);
    settled.push(await payOnce(served, id, 40_000), await payOnce(served, newId(), 0));
    await ended(served);
    expect(await wrongWith(served, settled)).toEqual([]);
  });
});
