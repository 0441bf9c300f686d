import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Customer, type PaymentSettlement } from '../../src/customer/index.ts';
import { pay, payOnce, type Served, serveOnDisk, wrongWith } from './disk-server.ts';

/** A ledger that cannot grow any more. */

let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-full-'));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const ENOUGH = 64 * 1024;
const PRLIMIT = '/usr/bin/prlimit';
/** In a mount namespace of its own, which goes with its process. */
const UNSHARE = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
const TRIAL = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);

/** How a disk is made full, and empty again, from outside. */
interface FullDisk {
  readonly name: string;
  readonly usable: boolean;
  readonly wrapper: string;
  fill(served: Served): void;
  empty(served: Served): void;
}

const DISKS: readonly FullDisk[] = [
  {
    name: 'a limit of the file’s size, which is set and lifted',
    usable: process.platform === 'linux' && existsSync(PRLIMIT),
    // A write beyond the limit then fails by EFBIG, as it does by ENOSPC on a full disk.
    wrapper: 'trap \'\' XFSZ; exec "$0" "$@"',
    fill: ({ child, ledgerPath }) => {
      const largest = Math.max(statSync(ledgerPath).size, statSync(`${ledgerPath}-wal`).size);
      execFileSync(PRLIMIT, ['--pid', String(child.pid), `--fsize=${largest + ENOUGH}:unlimited`]);
    },
    empty: ({ child }) => execFileSync(PRLIMIT, ['--pid', String(child.pid), '--fsize=unlimited:unlimited']),
  },
  {
    name: 'a disk of four megabytes, and another file on it',
    usable: TRIAL.status === 0,
    wrapper: `exec unshare ${UNSHARE.join(' ')} /bin/sh -c 'mount -t tmpfs -o size=4m,mode=0700 tmpfs "$2" && exec "$0" "$@"' "$0" "$@"`,
    fill: (served) => {
      const other = fromOutside(served, 'other');
      for (let size = 4 << 20; size > 0; size -= 4096)
        try {
          writeFileSync(other, new Uint8Array(size));
          break;
        } catch (error) {
          rmSync(other);
          expect(error).toMatchObject({ code: 'ENOSPC' });
        }
    },
    empty: (served) => rmSync(fromOutside(served, 'other')),
  },
];

/** A file beside the ledger, as the server's process sees it. */
function fromOutside({ child }: Served, name: string): string {
  return join(`/proc/${child.pid}/root`, folder, name);
}

describe.each(DISKS)('a disk that is full: $name', ({ name, usable, wrapper, fill, empty }) => {
  if (!usable) process.stderr.write(`not to be had here, so NOT tried: ${name}.\n`);

  it.skipIf(!usable)(
    'refuses what it cannot store, keeps what it acknowledged, and goes on by itself when there is room',
    async () => {
      const served = await serveOnDisk(folder, wrapper, (child) => running.push(child));
      const customer = new Customer(served.identity, { retryForMs: 0, idleMs: 60_000 });
      const settled: PaymentSettlement[] = [];
      const ids = Array.from({ length: 400 }, (_, index) =>
        new Uint8Array(16).fill(index & 0xff).fill(index >> 8, 0, 1),
      );
      settled.push(await pay(customer, ids.shift()!));

      fill(served);
      let refusal: unknown;
      while (refusal === undefined && ids.length > 0) {
        await pay(customer, ids[0]!).then(
          (settlement) => {
            settled.push(settlement);
            ids.shift();
          },
          (error: unknown) => {
            refusal = error;
          },
        );
      }
      expect(refusal).toMatchObject({ code: expect.stringMatching(/OUTCOME_UNKNOWN|INTERNAL|BUSY/) });
      await customer.close();

      // Full is full: another session learns the same, and the server still answers.
      await expect(payOnce(served, ids[0]!, 0)).rejects.toMatchObject({
        code: expect.stringMatching(/OUTCOME_UNKNOWN|INTERNAL|BUSY/),
      });
      expect(served.child.exitCode).toBeNull();

      empty(served);
      for (const id of ids.slice(0, 5)) settled.push(await payOnce(served, id, 30_000));
      // The disk goes with its process: what is on it is copied before. Nobody pays meanwhile.
      const copy = mkdtempSync(join(tmpdir(), 'sallyport-full-copy-'));
      for (const name of ['ledger.sqlite', 'ledger.sqlite-wal'])
        copyFileSync(fromOutside(served, `state/${name}`), join(copy, name));
      expect(await wrongWith({ ...served, ledgerPath: join(copy, 'ledger.sqlite') }, settled)).toEqual([]);
      rmSync(copy, { recursive: true });
      served.child.disconnect();
      await new Promise((resolve) => served.child.once('exit', resolve));
    },
  );
});
