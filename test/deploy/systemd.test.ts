import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer, readCustomerFile } from '../../src/customer/index.ts';
import { CommandStage } from '../e2e/cli-stage.ts';
import { findTool } from './tool.ts';

/** The unit and the socket, read by systemd's own tools, and the first port passed by them. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LAUNCHER = join(ROOT, 'bin/sallyport.js');
/** `systemd-analyze security`, of 100; it was 15 when this was written, and a unit without any of the measures has 96. */
const EXPOSURE_MAX = '16';

const analyze = findTool(['systemd-analyze'], '--version');
const activate = findTool(['systemd-socket-activate'], '--version');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-units-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of unit and socket that starts this checkout's launcher; `change` breaks it. */
function units(change: (unit: string) => string = (unit) => unit): string[] {
  return ['sallyport.service', 'sallyport.socket'].map((name) => {
    const unit = readFileSync(join(ROOT, 'deploy/systemd', name), 'utf8');
    const path = join(folder, name);
    writeFileSync(path, change(unit.replaceAll('/usr/bin/sallyport', LAUNCHER)));
    return path;
  });
}

describe.skipIf(!analyze.present)(`the systemd units, ${analyze.where}`, () => {
  it('are right to the last line', () => {
    expect(analyze.run('verify', '--man=no', ...units())).toEqual({ exitCode: 0, text: '' });
    const wrong = units((unit) => unit.replace('ProtectSystem=', 'ProtectSytem='));
    expect(analyze.run('verify', '--man=no', ...wrong).text).toMatch(/Unknown key.* 'ProtectSytem'/);
  });

  it('expose no more than they did', () => {
    const security = (path: string): number | null =>
      analyze.run('security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, '--no-pager', path).exitCode;
    expect(security(units()[0]!)).toBe(0);
    expect(security(units((unit) => unit.replace(/^(SystemCallFilter|CapabilityBoundingSet)=.*$/gm, ''))[0]!)).toBe(1);
  });
});

describe.skipIf(!activate.present)(`the first port, passed ${activate.where}`, () => {
  it('wakes the server at the first customer, who is served, and those after it', async () => {
    const stage = new CommandStage();
    try {
      const { server } = await stage.serve();
      await stage.enroll('alice', '10');
      await stage.enroll('bob');
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;

      const port = await freePort();
      const serve = ['serve', '--json', '--second-ports', 'any:8', '--log-file', 'server.log'];
      const manager = spawn(
        'systemd-socket-activate',
        ['--listen', `127.0.0.1:${port}`, process.execPath, LAUNCHER, ...serve],
        { cwd: stage.folder, stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const [announced, complaints] = [text(manager.stdout), text(manager.stderr)];
      const end = once(manager, 'exit');
      try {
        const identity = await readCustomerFile(stage.path('alice.json'));
        const pay = async (retryForMs: number): Promise<unknown> => {
          const at = { ...identity, server: { host: '127.0.0.1', port } };
          await using customer = new Customer(at, { retryForMs });
          return (await customer.pay({ from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' })).status;
        };
        // The program that listens may not have come to it; whoever connects then waits in the socket's queue.
        expect(await pay(20_000)).toBe('committed');
        expect(await pay(0)).toBe('committed');
      } finally {
        // systemd-socket-activate has become the server.
        manager.kill('SIGTERM');
      }
      expect([(await end)[0], await complaints]).toEqual([0, expect.stringContaining('Execing')]);
      expect(JSON.parse(await announced)).toMatchObject({ pid: manager.pid, firstPort: { port } });
    } finally {
      await stage.close();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
