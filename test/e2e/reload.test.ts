import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { hostKeyFingerprint } from '../../src/crypto/identity.ts';
import { loadCrypto } from '../../src/crypto/index.ts';
import { Customer, DEFAULT_POLICY, readCustomerFile } from '../../src/customer/index.ts';
import { defaultConfiguration } from '../../src/server/configuration.ts';
import { planReload, RELOADABLE } from '../../src/server/reload.ts';
import { SETTING_NAMES } from '../../src/server/settings.ts';
import { adoptNextHostKey, announceNextHostKey } from '../../src/server/state-directory.ts';
import { CommandStage } from './cli-stage.ts';
import { Stage } from './stage.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function openStage(...options: Parameters<typeof Stage.open>): Promise<Stage> {
  const stage = await Stage.open(...options);
  undo.push(() => stage[Symbol.asyncDispose]());
  return stage;
}

describe('a reload', () => {
  it('takes what can change and names what waits', () => {
    const present = defaultConfiguration();
    const wanted = defaultConfiguration({ 'lease-ms': 5_000, threads: present.threads + 1, groups: ['ffdhe4096'] });
    const plan = planReload(present, wanted);
    expect(plan.changed).toEqual(['groups', 'lease-ms']);
    expect(plan.waiting).toEqual(['threads']);
    expect(plan.configuration).toEqual({ ...wanted, threads: present.threads });
    expect(planReload(present, present)).toMatchObject({ changed: [], waiting: [] });
    expect(RELOADABLE.filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
  });

  it('is for customers that come after it; sessions that run go on as they began', async () => {
    const stage = await openStage();
    const identity = await stage.enroll('alice', 10_00n);
    await stage.enroll('bob');
    const runs = stage.customer(identity, { idleMs: 60_000 });
    undo.push(() => runs.close());
    await runs.connect();
    const { configuration } = stage.server;
    const report = stage.server.reload({ ...configuration, groups: ['ffdhe3072'], 'half-open-max': 7, backlog: 9 });
    expect(report).toMatchObject({
      changed: ['groups', 'half-open-max'],
      waiting: ['backlog'],
      nextHostKey: undefined,
    });
    expect(stage.server.configuration).toMatchObject({ groups: ['ffdhe3072'], backlog: configuration.backlog });
    // LIGHT_POLICY, with which it was enrolled, knows ffdhe2048 alone.
    await expect(stage.customer(identity).connect()).rejects.toMatchObject({ code: 'NO_COMMON_PARAMETERS' });
    const modern = stage.customer({ ...identity, policy: { ...DEFAULT_POLICY, groups: ['ffdhe3072'] } });
    undo.push(() => modern.close());
    await modern.connect();
    const payment = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };
    expect(await runs.pay(payment)).toMatchObject({ status: 'committed' });
  });

  it('makes quotas tighter at once', async () => {
    const stage = await openStage();
    const identity = await stage.enroll('alice');
    stage.server.reload({ ...stage.server.configuration, 'rate-per-host': 1, 'burst-per-host': 1 });
    const first = stage.customer(identity);
    undo.push(() => first.close());
    await first.connect();
    await expect(stage.customer(identity).connect()).rejects.toMatchObject({ code: 'BUSY' });
    expect(stage.server.gauges.refused).toEqual({ 'rate-host': 1 });
  });

  it('announces the next host key, and goes on announcing it after it was taken into use on disk', async () => {
    const stage = await openStage();
    const identity = await stage.enroll('alice');
    const next = announceNextHostKey(stage.server.state.path);
    const reload = () => stage.server.reload(stage.server.configuration);
    expect(reload()).toMatchObject({ nextHostKey: hostKeyFingerprint(next), waiting: [] });
    const announced = async (): Promise<unknown> => {
      const customer = stage.customer(identity);
      const learned = new Promise((resolve) => customer.once('hostKeys', resolve));
      await customer.connect();
      await customer.close();
      return learned;
    };
    expect(await announced()).toMatchObject({ nextHostKey: new Uint8Array(next) });
    adoptNextHostKey(stage.server.state.path);
    // The running server signs with the key it started with; the new one is still the next one of its customers.
    expect(reload()).toMatchObject({ nextHostKey: hostKeyFingerprint(next), waiting: ['host key'] });
    const customer = stage.customer(identity);
    await customer.connect();
    await customer.close();
  });
});

describe('SIGHUP', () => {
  it('reads configuration and log file again; a wrong configuration changes nothing', async () => {
    const stage = new CommandStage();
    undo.push(() => stage.close());
    const settings = stage.path('sallyport.toml');
    writeFileSync(settings, 'rate-per-host = 0\n');
    const { server } = await stage.serve();
    await stage.enroll('alice', '10');
    const log = (name = 'server.log'): string =>
      existsSync(stage.path(name)) ? readFileSync(stage.path(name), 'utf8') : '';

    writeFileSync(settings, 'rate-per-host = 1\nburst-per-host = 1\nbacklog = 5\n');
    renameSync(stage.path('server.log'), stage.path('server.log.1'));
    server.kill('SIGHUP');
    await expect.poll(() => log(), { timeout: 10_000 }).toContain('"event":"reloaded"');
    expect(log()).toContain('"changed":["rate-per-host","burst-per-host"],"waiting":["backlog"]');
    expect(log('server.log.1')).toContain('"event":"listening"');
    const { name, lanes, rejected } = (await loadCrypto()).kernel;
    const kernel = log('server.log.1')
      .split('\n')
      .find((line) => line.includes('"kernel-chosen"'));
    expect(JSON.parse(kernel!)).toMatchObject({ kernel: name, lanes, rejected });

    writeFileSync(settings, 'rate-per-host = "fast"\n');
    server.kill('SIGHUP');
    await expect.poll(() => log(), { timeout: 10_000 }).toContain('"event":"reload-failed"');
    expect(log()).toContain('rate-per-host (file sallyport.toml)');
    const identity = await readCustomerFile(stage.path('alice.json'));
    const first = new Customer(identity, { retryForMs: 0 });
    undo.push(() => first.close());
    await first.connect();
    await expect(new Customer(identity, { retryForMs: 0 }).connect()).rejects.toMatchObject({ code: 'BUSY' });
  });
});
