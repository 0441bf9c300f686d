import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PaymentSettlement } from '../../src/customer/index.ts';
import { receiptKeys } from '../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import { SecurityServer } from '../../src/server/index.ts';
import { Arena } from './arena.ts';

/** Parts of the server that die, ports that others hold, a loop that stands still: customers wait a little, and every receipt stays true. */

const workers = new Set<Worker>();
const listeners: Server[] = [];
const noteWorker = (worker: Worker): void => {
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
};

beforeEach(() => {
  process.on('worker', noteWorker);
});

afterEach(async () => {
  process.off('worker', noteWorker);
  workers.clear();
  await Promise.all(listeners.splice(0).map((listener) => new Promise((resolve) => listener.close(resolve))));
});

const payment = { from: 'alice.eur', to: 'bob.eur', amount: '0.01', currency: 'EUR' };

/** Threads by what they do; the ledger's has a name, those of the crypto pool are the others. */
const ledgerThread = (): Worker => [...workers].find(({ threadName }) => threadName === 'ledger')!;
const cryptoThreads = (): Worker[] => [...workers].filter(({ threadName }) => threadName !== 'ledger');

/** Pays `count` times, each in a session of its own, four at a time, each until it has a receipt, while `fault` happens. */
async function payThrough(
  arena: Arena,
  count: number,
  fault: (paid: () => number) => Promise<void>,
): Promise<PaymentSettlement[]> {
  const settled: PaymentSettlement[] = [];
  const ids = Array.from({ length: count }, () => new Uint8Array(randomBytes(16)));
  const customers = Array.from({ length: 4 }, async () => {
    while (ids.length > 0) {
      const customer = arena.stage.customer(arena.alice, { retryForMs: 45_000 });
      const id = ids.pop()!;
      try {
        settled.push(await customer.pay({ ...payment, transactionId: id }));
      } finally {
        await customer.close();
      }
    }
  });
  await Promise.all([...customers, fault(() => settled.length)]);
  return settled;
}

async function reached(paid: () => number, count: number): Promise<void> {
  await expect.poll(paid, { interval: 2, timeout: 30_000 }).toBeGreaterThanOrEqual(count);
}

/** What was acknowledged is in the ledger, once, and the ledger verifies. */
async function nothingLost(arena: Arena, settled: readonly PaymentSettlement[], count: number): Promise<void> {
  expect(settled).toHaveLength(count);
  expect(new Set(settled.map(({ sequence }) => sequence)).size).toBe(count);
  expect(await arena.stage.balances('bob')).toEqual([BigInt(count)]);
  await arena.quiet();
  const { state } = arena.stage.server;
  const storage = new SqliteStorage({ path: state.ledgerPath, readOnly: true });
  await storage.open();
  try {
    expect((await verifyLedger(storage, { keys: receiptKeys([state.hostPublicKey]) })).findings).toEqual([]);
  } finally {
    await storage.close();
  }
}

const messagesOf = (arena: Arena): string[] =>
  arena.complaints.map((line) => (JSON.parse(line) as { event: string }).event);

describe('a thread that dies in the middle of its work', () => {
  it('of the ledger, five times: it is started again, and nothing acknowledged is lost', async () => {
    await using arena = await Arena.open();
    const settled = await payThrough(arena, 120, async (paid) => {
      for (let kills = 1; kills <= 5; kills++) {
        await reached(paid, kills * 15);
        await expect
          .poll(() => arena.stage.server.gauges.ledger.available, { interval: 2, timeout: 20_000 })
          .toBe(true);
        await ledgerThread().terminate();
      }
    });
    await nothingLost(arena, settled, 120);
    expect(messagesOf(arena).filter((event) => event === 'ledger-thread-ended')).toHaveLength(5);
    expect(messagesOf(arena)).not.toContain('invariant-broken');
  });

  it('of the crypto pool, ten times: its batch is refused, the next one is made', async () => {
    await using arena = await Arena.open({ threads: 2 });
    const settled = await payThrough(arena, 120, async (paid) => {
      for (let kills = 1; kills <= 10; kills++) {
        await reached(paid, kills * 8);
        const threads = cryptoThreads();
        await threads[kills % threads.length]?.terminate();
      }
    });
    await nothingLost(arena, settled, 120);
    expect(messagesOf(arena)).not.toContain('invariant-broken');
  });
});

describe('an event loop that stands still', () => {
  it('for a second and a half, in the middle of sessions: all of them are served', async () => {
    await using arena = await Arena.open();
    const settled = await payThrough(arena, 60, async (paid) => {
      for (const at of [10, 30]) {
        await reached(paid, at);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
      }
    });
    await nothingLost(arena, settled, 60);
    expect(arena.complaints).toEqual([]);
  });
});

/** `count` ports in a row that nobody listens at. */
async function freeRange(count: number): Promise<number> {
  for (let first = 21_000; first < 30_000; first += count) {
    const held = await Promise.all(Array.from({ length: count }, (_, index) => hold(first + index)));
    await Promise.all(held.map((listener) => listener && new Promise((resolve) => listener.close(resolve))));
    if (held.every((listener) => listener !== undefined)) return first;
  }
  throw new Error('no free range of ports');
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.once('error', () => resolve(undefined));
    listener.listen(port, '127.0.0.1', () => resolve(listener));
  });
}

describe('ports of the range that another process holds', () => {
  it('are put in quarantine by name, and the others serve', async () => {
    const first = await freeRange(6);
    for (const port of [first + 1, first + 4]) listeners.push((await hold(port))!);
    await using arena = await Arena.open({ 'second-ports': { kind: 'range', first, last: first + 5 } });
    const settled = await payThrough(arena, 40, () => Promise.resolve());
    expect(settled).toHaveLength(40);
    const { server } = arena.stage;
    expect(server.gauges.ports).toMatchObject({ slots: 6, quarantined: 2 });
    expect(server.quarantine.map(({ port, reason }) => `${port} ${reason}`).sort()).toEqual([
      `${first + 1} EADDRINUSE`,
      `${first + 4} EADDRINUSE`,
    ]);
  });

  it('when they are all: BUSY, and no crash', async () => {
    const first = await freeRange(3);
    for (let port = first; port < first + 3; port++) listeners.push((await hold(port))!);
    await using arena = await Arena.open({ 'second-ports': { kind: 'range', first, last: first + 2 } });
    const customer = arena.stage.customer(arena.alice);
    await expect(customer.pay(payment)).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: expect.any(Number) });
    await customer.close();
    await expect
      .poll(() => arena.stage.server.gauges, { interval: 5 })
      .toMatchObject({ halfOpen: 0, ports: { quarantined: 3, leased: 0 } });
    expect(arena.complaints).toEqual([]);
  });
});

describe('a ledger that was damaged while the server was down', () => {
  const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

  it.each([
    [
      'truncated in the middle of a page',
      (path: string) => truncateSync(path, Math.floor(readFileSync(path).length / 2) + 100),
    ],
    ['truncated to nothing', (path: string) => truncateSync(path, 0)],
    ['with its first page overwritten', (path: string) => writeFileSync(path, overwritten(path, 0))],
    ['with a page in its middle overwritten', (path: string) => writeFileSync(path, overwritten(path, 3 * 4096))],
    ['that is a text', (path: string) => writeFileSync(path, 'the ledger was here\n'.repeat(1000))],
  ])('%s: the server does not start, says so, and leaves the file as it is', async (_, damage) => {
    const arena = await Arena.open();
    try {
      await arena.goodPayment();
      const { server } = arena.stage;
      await server.stop({ drainMs: 0 });
      const path = server.state.ledgerPath;
      damage(path);
      const before = digest(path);
      const configuration = { ...server.configuration, 'first-port': 0 };
      await expect(SecurityServer.start({ configuration })).rejects.toMatchObject({
        code: 'LEDGER_CORRUPT',
        message: expect.stringContaining('ledger'),
      });
      expect(digest(path)).toBe(before);
    } finally {
      await arena[Symbol.asyncDispose]();
    }
  });

  it('a state directory of another kind is refused by name', async () => {
    const arena = await Arena.open();
    try {
      await arena.stage.server.stop({ drainMs: 0 });
      const { configuration } = arena.stage.server;
      writeFileSync(join(configuration.state, 'host-key.pem'), 'no key\n');
      await expect(
        SecurityServer.start({ configuration: { ...configuration, 'first-port': 0 } }),
      ).rejects.toMatchObject({
        code: expect.stringMatching(/BAD_FILE|BAD_CONFIGURATION/),
      });
    } finally {
      await arena[Symbol.asyncDispose]();
    }
  });
});

function overwritten(path: string, at: number): Buffer {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, at, at + 4096);
  return bytes;
}
