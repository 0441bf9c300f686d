import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Customer, type CustomerIdentity, readCustomerFile } from '../../src/customer/index.ts';
import { type Announcement, CommandStage } from './cli-stage.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
const PATIENCE = { timeout: 30_000, interval: 50 };

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

function newStage(): CommandStage {
  const stage = new CommandStage();
  undo.push(() => stage.close());
  return stage;
}

function logOf(stage: CommandStage): Record<string, unknown>[] {
  const path = stage.path('server.log');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits for the nth line of this event in the log of every server of the stage. */
async function logged(stage: CommandStage, event: string, count = 1): Promise<Record<string, unknown>> {
  const lines = (): Record<string, unknown>[] => logOf(stage).filter((line) => line.event === event);
  await expect.poll(() => lines().length, PATIENCE).toBeGreaterThanOrEqual(count);
  return lines()[count - 1]!;
}

async function gone(pid: number): Promise<void> {
  await expect.poll(() => existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(statusOf(pid)), PATIENCE).toBe(false);
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return 'State:\tZ';
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Ends a server that a server of this test has started. */
function endLater(pid: number): void {
  undo.push(async () => {
    if (!existsSync(`/proc/${pid}`)) return;
    process.kill(pid, 'SIGKILL');
    await gone(pid);
  });
}

const payment = { from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' };

/** Customers that pay, each in a session of its own, and never try again: whatever is refused is kept, and ends the crowd. */
class Crowd {
  readonly failures: string[] = [];
  paid = 0;
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(identity: CustomerIdentity, lanes: number) {
    this.#lanes = Array.from({ length: lanes }, async () => {
      while (!this.#stopped) {
        const customer = new Customer(identity, { retryForMs: 0 });
        try {
          const { status } = await customer.pay(payment);
          if (status === 'committed') this.paid += 1;
          else this.failures.push(String(status));
        } catch (error) {
          this.failures.push((error as Error).message);
          this.#stopped = true;
        }
        await customer.close().catch((error: Error) => this.failures.push(error.message));
      }
    });
  }

  /** Fulfilled when so many more have paid. */
  async more(count: number): Promise<void> {
    const wanted = this.paid + count;
    await expect.poll(() => this.paid >= wanted || this.failures.length > 0, PATIENCE).toBe(true);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }
}

describe('a restart', () => {
  it('by handing over refuses no customer, under load, twice, and ends no session that runs', async () => {
    const stage = newStage();
    const first = randomInt(20_000, 29_000);
    const admin = await freePort();
    const { server, announcement } = await stage.serve(
      '--second-ports',
      `${first}-${first + 199}`,
      '--admin-port',
      String(admin),
    );
    await stage.enroll('alice', '1000');
    await stage.enroll('bob');
    const identity = await readCustomerFile(stage.path('alice.json'));
    const crowd = new Crowd(identity, 6);
    await crowd.more(20);
    const stays = new Customer(identity, { retryForMs: 0, idleMs: 60_000 });
    await stays.connect();

    const ended = once(server, 'exit');
    server.kill('SIGUSR2');
    const second = Number((await logged(stage, 'handed-over')).pid);
    endLater(second);
    expect(second).not.toBe(announcement.pid);
    await crowd.more(20);
    // This session lives in the process that has handed over, and is served to its end.
    expect(existsSync(`/proc/${announcement.pid}`)).toBe(true);
    expect(await stays.pay(payment)).toMatchObject({ status: 'committed' });
    await stays.close();
    expect((await ended)[0]).toBe(0);

    process.kill(second, 'SIGUSR2');
    const third = Number((await logged(stage, 'handed-over', 2)).pid);
    endLater(third);
    await gone(second);
    await crowd.more(20);
    await crowd.stop();
    // The admin address goes along.
    const ready = (): Promise<number> =>
      fetch(`http://127.0.0.1:${admin}/health/ready`, { headers: { connection: 'close' } }).then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(ready, PATIENCE).toBe(200);
    expect(logOf(stage).filter(({ event }) => event === 'admin-failed')).toEqual([]);
    process.kill(third, 'SIGTERM');
    await gone(third);

    expect(crowd.failures).toEqual([]);
    const verification = await stage.json<{ verified: boolean }>('ledger', 'verify');
    expect(verification.verified).toBe(true);
    const { accounts } = await stage.json<{ accounts: { id: string; balance: string }[] }>('accounts', 'list');
    const cents = crowd.paid + 1;
    expect(accounts.find(({ id }) => id === 'bob.eur')!.balance).toBe((cents / 100).toFixed(2));
    // Every page of the ledger was looked at by the first; the others took over a file that was open in good health.
    expect(logOf(stage).flatMap(({ event, check }) => (event === 'ledger-opened' ? [check] : []))).toEqual([
      'full',
      'tail',
      'tail',
    ]);
    // Each server came to its end, and none lost a session to the other.
    expect(logOf(stage).filter(({ event }) => event === 'stopped')).toHaveLength(3);
    expect(logOf(stage).filter(({ reason }) => reason === 'alertSent' || reason === 'expired')).toEqual([]);
  });

  it('by stopping and starting refuses some: the crowd would have noticed', async () => {
    const stage = newStage();
    const { server, announcement } = await stage.serve();
    await stage.enroll('alice', '1000');
    await stage.enroll('bob');
    const crowd = new Crowd(await readCustomerFile(stage.path('alice.json')), 2);
    await crowd.more(5);
    const ended = once(server, 'exit');
    process.kill(announcement.pid, 'SIGTERM');
    await ended;
    await expect.poll(() => crowd.failures.length, PATIENCE).toBeGreaterThan(0);
    await crowd.stop();
  });

  it('whose successor does not start changes nothing', async () => {
    const stage = newStage();
    writeFileSync(stage.path('sallyport.toml'), 'drain-ms = 500\n');
    const { server } = await stage.serve();
    await stage.enroll('alice', '10');
    await stage.enroll('bob');
    writeFileSync(stage.path('sallyport.toml'), 'drain-ms = "soon"\n');
    server.kill('SIGUSR2');
    expect(await logged(stage, 'handover-failed')).toMatchObject({
      reason: expect.stringContaining('the successor ended (exit code 2)'),
    });
    const customer = new Customer(await readCustomerFile(stage.path('alice.json')), { retryForMs: 0 });
    expect(await customer.pay(payment)).toMatchObject({ status: 'committed' });
    await customer.close();
  });
});

/**
 * What a service manager does with a socket: it listens, and passes the socket as descriptor 3 with the variables of sd_listen_fds(3). It
 * runs the server, and once more when a line comes in.
 */
const SERVICE_MANAGER = `run() { /bin/sh -c 'LISTEN_PID=$$ exec "$0" "$@"' "$@"; }; run "$@"; read again; run "$@"`;

describe('a service manager', () => {
  it('keeps the first port: customers that come while no server runs wait, and are served by the next', async () => {
    const stage = newStage();
    const { server } = await stage.serve();
    await stage.enroll('alice', '10');
    await stage.enroll('bob');
    const end = once(server, 'exit');
    server.kill('SIGTERM');
    await end;

    const socket = createServer();
    await new Promise<void>((resolve) => socket.listen(0, '127.0.0.1', resolve));
    const { port } = socket.address() as { port: number };
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const serve = [
      process.execPath,
      LAUNCHER,
      'serve',
      '--json',
      '--second-ports',
      'any:32',
      '--log-file',
      'server.log',
    ];
    const manager = spawn('/bin/sh', ['-c', SERVICE_MANAGER, 'manager', ...serve], {
      cwd: stage.folder,
      env: { PATH: process.env.PATH, LISTEN_FDS: '1' },
      stdio: ['pipe', 'pipe', 'inherit', fd],
    });
    undo.push(() => manager.kill('SIGKILL'));
    // From here the socket is the manager's alone.
    socket.close();
    const lines = createInterface(manager.stdout as Readable)[Symbol.asyncIterator]();
    const announced = async (): Promise<Announcement> => {
      const announcement = JSON.parse((await lines.next()).value as string) as Announcement;
      endLater(announcement.pid);
      return announcement;
    };
    const identity = await readCustomerFile(stage.path('alice.json'));
    const pay = async (): Promise<unknown> => {
      await using customer = new Customer({ ...identity, server: { host: '127.0.0.1', port } }, { retryForMs: 0 });
      return (await customer.pay(payment)).status;
    };

    const first = await announced();
    expect(first.firstPort.port).toBe(port);
    expect(await pay()).toBe('committed');
    process.kill(first.pid, 'SIGTERM');
    await gone(first.pid);
    const waiting = pay();
    (manager.stdin as Writable).write('again\n');
    const second = await announced();
    expect(second).toMatchObject({ firstPort: { port } });
    expect(second.pid).not.toBe(first.pid);
    expect(await waiting).toBe('committed');
    const ended = once(manager, 'exit');
    process.kill(second.pid, 'SIGTERM');
    expect((await ended)[0]).toBe(0);
  });

  it('is told when the server is ready and when it stops', async () => {
    const stage = newStage();
    const calls = stage.path('notified');
    writeFileSync(stage.path('systemd-notify'), `#!/bin/sh\necho "$@" >> '${calls}'\n`);
    chmodSync(stage.path('systemd-notify'), 0o755);
    const server = stage.start(['serve', '--first-port', '0', '--second-ports', 'any:4', '--log-file', 'server.log'], {
      NOTIFY_SOCKET: stage.path('none'),
      PATH: `${stage.folder}:${process.env.PATH}`,
    });
    await expect
      .poll(() => existsSync(calls) && readFileSync(calls, 'utf8'), PATIENCE)
      .toBe(`READY=1 MAINPID=${server.pid}\n`);
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
    expect(readFileSync(calls, 'utf8').split('\n')[1]).toBe('STOPPING=1');
  });
});
