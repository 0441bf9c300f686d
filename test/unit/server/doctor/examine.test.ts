import { chmodSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SqliteStorage } from '../../../../src/ledger/storage/sqlite.ts';
import { defaultConfiguration } from '../../../../src/server/configuration.ts';
import { checkKernel, checkReach } from '../../../../src/server/doctor/checks.ts';
import { examine, plannedServer } from '../../../../src/server/doctor/examine.ts';
import { readHostFacts } from '../../../../src/server/doctor/host-facts.ts';
import { examineReach } from '../../../../src/server/doctor/reach.ts';
import { openStateDirectory } from '../../../../src/server/state-directory.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-doctor-'));
  undo.push(() => rmSync(path, { recursive: true }));
  return path;
}

async function listening(): Promise<number> {
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as { port: number }).port;
}

/** A name is "advertised" here by an address of this machine that is not written as loopback. */
const plan = { host: '0.0.0.0', port: 0, advertised: '', inUse: false };

describe('an examination', () => {
  it('goes through everything, and finds nothing bad where nothing is', async () => {
    const state = join(folder(), 'state');
    openStateDirectory(state, { create: true });
    const storage = new SqliteStorage({ path: join(state, 'ledger.sqlite') });
    await storage.open();
    await storage.close();
    const findings = await examine(
      defaultConfiguration({ state, 'first-port': 0, 'second-ports': { kind: 'system', count: 8 } }),
    );
    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set([
        'descriptors',
        'port range',
        'ports in use',
        'backlog',
        'kernel',
        'permissions',
        'ledger',
        'clock',
        'reachability',
      ]),
    );
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([]);
    // Whatever is not good says what to do.
    expect(findings.filter(({ verdict, advice }) => verdict !== 'good' && advice === '')).toEqual([]);
    expect(findings.filter(({ check }) => check === 'permissions')).toHaveLength(3);
  });

  it('finds a ledger that was cut off', async () => {
    const state = join(folder(), 'state');
    const { ledgerPath } = openStateDirectory(state, { create: true });
    const storage = new SqliteStorage({ path: ledgerPath });
    await storage.open();
    await storage.close();
    truncateSync(ledgerPath, statSync(ledgerPath).size - 100);
    const findings = await examine(defaultConfiguration({ state, 'first-port': 0 }));
    expect(findings.find(({ check }) => check === 'ledger')).toMatchObject({
      verdict: 'bad',
      found: expect.stringMatching(/cut off|damaged/),
    });
  });

  it('finds a secret that others can read, and a ledger that is none', async () => {
    const state = join(folder(), 'state');
    openStateDirectory(state, { create: true });
    chmodSync(join(state, 'pepper.1'), 0o644);
    writeFileSync(join(state, 'ledger.sqlite'), 'this is no ledger, however long it may be'.repeat(200));
    const bad = (await examine(defaultConfiguration({ state, 'first-port': 0 }))).filter(
      ({ verdict }) => verdict === 'bad',
    );
    expect(bad.map(({ check }) => check)).toEqual(expect.arrayContaining(['permissions', 'ledger']));
    expect(bad.find(({ check }) => check === 'permissions')!.found).toContain('pepper.1 has mode 0644');
  });

  it('says so where there is no state yet', async () => {
    const findings = await examine(defaultConfiguration({ state: join(folder(), 'none'), 'first-port': 0 }));
    for (const check of ['permissions', 'ledger'])
      expect(findings.find((finding) => finding.check === check)).toMatchObject({
        verdict: 'warning',
        advice: 'It is made at the first start.',
      });
  });

  it('plans descriptors for sessions where ports are shared', () => {
    const shared = defaultConfiguration({
      'port-mode': 'shared',
      'second-ports': { kind: 'system', count: 2 },
      'shared-sessions-max': 77,
    });
    expect(plannedServer(shared).secondPortCount).toBe(77);
    expect(plannedServer(defaultConfiguration()).secondPortCount).toBe(10_000);
  });
});

describe('the kernel', () => {
  it('is good when it is the best, and worth a look when better ones do not run', () => {
    expect(checkKernel({ name: 'fma', lanes: 2, rejected: [] }).verdict).toBe('good');
    expect(
      checkKernel({ name: 'scalar', lanes: 1, rejected: [{ name: 'fma', reason: 'multiply-add is not fused' }] }),
    ).toMatchObject({ verdict: 'warning', found: expect.stringContaining('multiply-add is not fused') });
    expect(
      checkKernel({ name: 'fma', lanes: 2, rejected: [{ name: 'fma-quad', reason: 'no faster here' }] }).advice,
    ).toContain('kernel = "quads"');
  });
});

describe('reachability', () => {
  it('is proven by a trial listener when nothing listens yet', async () => {
    expect(await examineReach(plan)).toEqual({ kind: 'reached', by: 'a trial listener' });
  });

  it('is tried on the server itself when one listens', async () => {
    const port = await listening();
    expect(readHostFacts().listeningPorts.has(port)).toBe(true);
    expect(await examineReach({ ...plan, port, inUse: true })).toEqual({ kind: 'reached', by: 'this server' });
  });

  // A label of 64 characters is in no DNS, and no resolver need be asked.
  it('does not take an unknown name, a silent port or loopback for reachable', async () => {
    expect(await examineReach({ ...plan, advertised: `${'a'.repeat(64)}.invalid` })).toMatchObject({
      kind: 'unresolved',
    });
    expect(await examineReach({ ...plan, advertised: 'localhost' })).toEqual({ kind: 'loopback' });
    expect(await examineReach({ ...plan, host: '127.0.0.1' })).toEqual({ kind: 'loopback' });
    const port = await listening();
    await undo.pop()!();
    expect(await examineReach({ ...plan, port, inUse: true })).toMatchObject({ kind: 'failed' });
  });

  it('has a sentence and an advice for every outcome', () => {
    const outcomes = [
      { kind: 'loopback' },
      { kind: 'someone-else' },
      { kind: 'unresolved', reason: 'ENOTFOUND' },
      { kind: 'failed', reason: 'ECONNREFUSED' },
    ] as const;
    for (const outcome of outcomes) {
      const finding = checkReach('bank.example:7919', outcome);
      expect(finding.verdict).not.toBe('good');
      expect(finding.found).toContain('bank.example:7919');
      expect(finding.advice).not.toBe('');
    }
  });
});
