import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { SecurityServer } from '../../src/server/index.ts';
import { runCustomer } from '../interop/peer-customer.ts';
import { SeededRandom } from '../sim/random.ts';

/**
 * Customers that do anything at all, many at once, against one server: a flipped bit, a cut, a surplus, noise, or a line that goes dead,
 * at any message of either port, in the clear or inside a record; and strangers at the second ports. Whatever they do, nothing of theirs is
 * left, no money is made, no invariant breaks, no secret is logged, and customers who behave are served.
 */

const SEED = 20_260_131;
const VISITS = 160;
const AT_ONCE = 8;
const FUNDED = 1_000_00n;
const MESSAGES = [
  'HELLO',
  'CUSTOMER_KEY',
  'AUTH',
  'AUTH record',
  'TRANSACTION',
  'TRANSACTION record',
  'QUERY',
  'QUERY record',
  'CLOSE',
  'CLOSE record',
] as const;

type Wrong = (bytes: Buffer, random: SeededRandom) => Buffer;

const WRONGS: readonly Wrong[] = [
  (bytes, random) => {
    const flipped = Buffer.from(bytes);
    if (flipped.length > 0) flipped[random.below(flipped.length)]! ^= 1 << random.below(8);
    return flipped;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => Buffer.concat([bytes, random.bytes(1 + random.below(300))]),
  (bytes) => Buffer.concat([bytes, bytes]),
  (bytes, random) => Buffer.from(random.bytes(bytes.length)),
  (bytes) => Buffer.alloc(bytes.length, 0xff),
  () => {
    throw new Error('gone');
  },
];

const profileValue = 'anna.mustermann@example.org';
const credential = Buffer.from(new SeededRandom(SEED).bytes(32));

async function openServer(folder: string, lines: string[]): Promise<SecurityServer> {
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(String(chunk));
      done();
    },
  });
  const server = await SecurityServer.start({
    configuration: {
      state: join(folder, 'state'),
      'first-port': 0,
      'second-ports': { kind: 'system', count: 32 },
      groups: ['ffdhe2048'],
      'hello-timeout-ms': 300,
      'lease-ms': 500,
      'customer-key-timeout-ms': 300,
      'auth-timeout-ms': 300,
      'idle-timeout-ms': 300,
      'session-timeout-ms': 5_000,
      'linger-timeout-ms': 100,
    },
    logger: pino({ level: 'trace' }, sink),
  });
  const profile = [{ tag: 'email', value: Buffer.from(profileValue) }];
  const peppers = { current: server.state.pepperVersion, byVersion: server.state.peppers };
  const { ledger } = server;
  await ledger.enroll({ id: 'anna', ...digestIdentity(peppers, { customerId: 'anna', profile, credential }) });
  for (const id of ['anna.eur', 'other.eur']) await ledger.openAccount({ id, owner: 'anna', currency: 'EUR' });
  await ledger.fund({ account: 'anna.eur', amount: FUNDED, transactionId: new Uint8Array(16).fill(1) });
  return server;
}

async function visit(server: SecurityServer, random: SeededRandom | undefined): Promise<string> {
  const target = random === undefined ? undefined : MESSAGES[random.below(MESSAGES.length)]!;
  const wrong = random === undefined ? undefined : WRONGS[random.below(WRONGS.length)]!;
  const strangers: Socket[] = [];
  try {
    await runCustomer({
      host: '127.0.0.1',
      port: server.address.port,
      pinnedHostKey: server.state.hostPublicKey,
      customerId: 'anna',
      profile: { email: profileValue },
      credential,
      policy: { groups: [0x0100] },
      timeoutMs: 2_000,
      documents: [1, 2].map(() => ({
        contentType: 'application/vnd.sallyport.transfer+json',
        body: JSON.stringify({ from: 'anna.eur', to: 'other.eur', amount: '0.01', currency: 'EUR' }),
      })),
      queries: [{ contentType: 'application/vnd.sallyport.balances+json', body: '{}' }],
      ...(random === undefined
        ? {}
        : {
            pacing: random.oneIn(2) ? ('one-flight' as const) : ('step-by-step' as const),
            mutate: (name: string, bytes: Buffer) => (name === target ? wrong!(bytes, random) : bytes),
            beforeSecondPort: async ({ secondPort }: { secondPort: number }) => {
              for (let count = random.below(4); count > 0; count--) strangers.push(knock(secondPort, random));
            },
          }),
    });
    return 'served';
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const stranger of strangers) stranger.destroy();
  }
}

function knock(port: number, random: SeededRandom): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  if (random.oneIn(2)) socket.write(random.bytes(random.below(600)));
  if (random.oneIn(3)) socket.once('connect', () => socket.resetAndDestroy());
  return socket;
}

describe('customers that do anything at all', () => {
  it('leave nothing behind, and harm nobody', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-chaos-'));
    const lines: string[] = [];
    const server = await openServer(folder, lines);
    try {
      const outcomes = new Map<string, number>();
      const random = new SeededRandom(SEED);
      for (let begun = 0; begun < VISITS; begun += AT_ONCE) {
        const wild = Array.from({ length: AT_ONCE }, () => visit(server, new SeededRandom(random.u32())));
        expect(await visit(server, undefined), `seed ${SEED}, after ${begun} visits`).toBe('served');
        for (const outcome of await Promise.all(wild)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // The visits did go wrong, in many ways.
      expect(outcomes.size).toBeGreaterThan(5);
      await expect
        .poll(() => server.gauges, { timeout: 10_000 })
        .toMatchObject({ live: 0, halfOpen: 0, ports: { leased: 0, free: 32, quarantined: 0 } });
      const balances = await server.ledger.balances('anna');
      expect(balances.reduce((sum, { balance }) => sum + balance, 0n)).toBe(FUNDED);

      const events = lines.map((line) => JSON.parse(line) as { event: string; level: number });
      expect(events.filter(({ level }) => level >= 40)).toEqual([]);
      expect(events.filter(({ event }) => event === 'session-end').length).toBeGreaterThanOrEqual(VISITS);
      const log = lines.join('');
      for (const secret of [profileValue, ...['hex', 'base64', 'latin1'].map((as) => credential.toString(as as 'hex'))])
        expect(log).not.toContain(secret);
    } finally {
      await server.stop({ drainMs: 0 });
      rmSync(folder, { recursive: true });
    }
  });
});
