import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, readCustomerFile } from '../../src/customer/index.ts';
import { CommandStage } from './cli-stage.ts';

const stages: CommandStage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
});

describe('a backup', () => {
  it('taken while payments are made verifies, and is a ledger that serves', async () => {
    const stage = new CommandStage();
    stages.push(stage);
    await stage.serve();
    await stage.enroll('alice', '1000');
    await stage.enroll('bob');
    const customer = new Customer(await readCustomerFile(stage.path('alice.json')), { retryForMs: 0 });
    const progress = { paid: 0, stopped: false };
    const paying = Array.from({ length: 4 }, async () => {
      while (!progress.stopped) {
        await customer.pay({ from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' });
        progress.paid += 1;
      }
    });
    await expect.poll(() => progress.paid, { timeout: 20_000 }).toBeGreaterThan(20);
    const before = progress.paid;
    const { bytes } = await stage.json<{ bytes: number }>('ledger', 'backup', 'copy.sqlite');
    const after = progress.paid;
    progress.stopped = true;
    await Promise.all(paying);
    await customer.close();
    expect(after).toBeGreaterThan(before);

    expect(statSync(stage.path('copy.sqlite'))).toMatchObject({ size: bytes });
    expect(statSync(stage.path('copy.sqlite')).mode & 0o777).toBe(0o600);
    expect(readdirSync(stage.folder).filter((name) => /copy\.sqlite.+/.test(name))).toEqual([]);
    // Never over a file: not the one before, not the ledger itself.
    for (const taken of ['copy.sqlite', 'sallyport-state/ledger.sqlite'])
      expect(await stage.run('ledger', 'backup', taken)).toMatchObject({ exitCode: 1 });

    // Restored beside its keys, as docs/OPERATIONS.md says.
    const restored = stage.path('restored');
    mkdirSync(restored, { mode: 0o700 });
    for (const name of ['host-key.pem', 'pepper.1'])
      copyFileSync(join(stage.path('sallyport-state'), name), join(restored, name));
    copyFileSync(stage.path('copy.sqlite'), join(restored, 'ledger.sqlite'));
    const verified = await stage.json<{ verified: boolean; transfers: number }>(
      'ledger',
      'verify',
      '--state',
      restored,
    );
    expect(verified.verified).toBe(true);
    // The funding, and every payment that was receipted before the copy began.
    expect(verified.transfers).toBeGreaterThan(before);
    const { server, announcement } = await stage.serve('--state', restored, '--first-port', '0');
    const identity = await readCustomerFile(stage.path('alice.json'));
    const returning = new Customer({ ...identity, server: announcement.firstPort }, { retryForMs: 0 });
    expect(await returning.pay({ from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' })).toMatchObject({
      status: 'committed',
    });
    await returning.close();
    server.kill('SIGTERM');
  });
});
