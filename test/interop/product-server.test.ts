import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { SecurityServer } from '../../src/server/index.ts';
import { runCustomer } from './peer-customer.ts';

/** The product's server, served to a customer that was written from docs/PROTOCOL.md alone. */

const folder = mkdtempSync(join(tmpdir(), 'sallyport-interop-'));
const credential = new Uint8Array(32).fill(7);
const profile = [{ tag: 'email', value: Buffer.from('alice@example.com') }];
let server: SecurityServer;

beforeAll(async () => {
  server = await SecurityServer.start({
    configuration: {
      state: join(folder, 'state'),
      'first-port': 0,
      'second-ports': { kind: 'system', count: 16 },
      groups: ['ffdhe3072', 'ffdhe2048', 'ffdhe4096'],
      kems: ['ML-KEM-768', 'none'],
    },
  });
  const peppers = { current: server.state.pepperVersion, byVersion: server.state.peppers };
  await server.ledger.enroll({ id: 'alice', ...digestIdentity(peppers, { customerId: 'alice', profile, credential }) });
  await server.ledger.enroll({ id: 'bob', ...digestIdentity(peppers, { customerId: 'bob', profile: [], credential }) });
  await server.ledger.openAccount({ id: 'alice.eur', owner: 'alice', currency: 'EUR' });
  await server.ledger.openAccount({ id: 'bob.eur', owner: 'bob', currency: 'EUR' });
  await server.ledger.fund({ account: 'alice.eur', amount: 100_00n, transactionId: new Uint8Array(16).fill(1) });
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const TRANSFER = 'application/vnd.sallyport.transfer+json';
const BALANCES = 'application/vnd.sallyport.balances+json';
const pay = (amount: string) => ({
  contentType: TRANSFER,
  body: JSON.stringify({ from: 'alice.eur', to: 'bob.eur', amount, currency: 'EUR' }),
});

function session(options: Partial<Parameters<typeof runCustomer>[0]>) {
  return runCustomer({
    host: '127.0.0.1',
    port: server.address.port,
    pinnedHostKey: server.state.hostPublicKey,
    customerId: 'alice',
    profile: { email: 'alice@example.com' },
    credential,
    ...options,
  });
}

describe('a stranger’s customer at the product’s server', () => {
  it.each([
    ['ffdhe2048', 0x0100],
    ['ffdhe3072', 0x0101],
    ['ffdhe4096', 0x0102],
  ])('pays over %s, with and without ML-KEM, with both ciphers', async (_, group) => {
    for (const kem of [0x0201, 0x0000]) {
      for (const aead of [0x0002, 0x001d]) {
        const result = await session({
          policy: { groups: [group], kems: [kem], aeads: [aead] },
          documents: [pay('1.00')],
        });
        expect(result.offer).toMatchObject({ group, kem, aead });
        expect(result.authResult).toBe(0);
        expect(result.receipts).toMatchObject([{ outcome: 1 }]);
      }
    }
  });

  it('sends everything in one flight, or step by step', async () => {
    for (const pacing of ['one-flight', 'step-by-step'] as const) {
      const { answers } = await session({
        pacing,
        documents: [pay('0.10'), pay('0.20')],
        queries: [{ contentType: BALANCES, body: '{}' }],
      });
      expect(answers).toMatchObject([{ kind: 'receipt' }, { kind: 'receipt' }, { kind: 'answer', status: 0 }]);
    }
  });

  it('comes in a crowd, asks for much at once, and finds every signature right', async () => {
    const documents = Array.from({ length: 30 }, () => pay('0.01'));
    const sessions = await Promise.all(Array.from({ length: 12 }, () => session({ documents })));
    const receipts = sessions.flatMap((one) => one.receipts);
    expect(receipts).toHaveLength(12 * 30);
    expect(new Set(receipts.map(({ salt }) => Buffer.from(salt).toString('hex'))).size).toBe(12 * 30);
    // Some were signed together, or nothing of paths was tried here.
    expect(receipts.some(({ signature }) => signature.path.length > 0)).toBe(true);
    expect(sessions.flatMap(({ steps }) => steps).join('\n')).toMatch(/^OFFER accepted, .* of [1-9]\d* levels$/m);
  });

  it('gets the same receipt for the same id, and a refusal for another document under it', async () => {
    const transactionId = new Uint8Array(16).fill(0xab);
    const first = await session({ documents: [{ transactionId, ...pay('2.00') }] });
    const again = await session({
      documents: [
        { transactionId, ...pay('2.00') },
        { transactionId, ...pay('3.00') },
      ],
    });
    expect(again.receipts[0]!.bytes).toEqual(first.receipts[0]!.bytes);
    expect(again.answers[1]).toMatchObject({ kind: 'refusal', code: 0x0c });
  });

  it('is told what the ledger refuses, in a receipt, and what nobody understands, in a refusal', async () => {
    const { answers } = await session({
      documents: [
        pay('1000000.00'),
        { contentType: TRANSFER, body: '{}' },
        { contentType: 'text/plain', body: 'pay!' },
      ],
    });
    expect(answers).toMatchObject([
      { kind: 'receipt', outcome: 2 },
      { kind: 'refusal', code: 0x0b },
      { kind: 'refusal', code: 0x0b },
    ]);
  });

  it('cannot tell an unknown customer, a wrong profile and a wrong credential apart', async () => {
    for (const identity of [
      { customerId: 'nobody' },
      { profile: { email: 'eve@example.com' } },
      { profile: {} },
      { credential: new Uint8Array(32) },
    ]) {
      const result = await session({ ...identity, documents: [pay('1.00')] });
      expect(result.authResult).toBe(0x09);
      expect(result.answers).toEqual([]);
    }
  });

  it('finds every cent again', async () => {
    const [alice, bob] = await Promise.all([server.ledger.balances('alice'), server.ledger.balances('bob')]);
    expect(alice[0]!.balance + bob[0]!.balance).toBe(100_00n);
    // Three groups by four payments of 1.00, twice 0.10 and 0.20, twelve times thirty of 0.01, once 2.00.
    expect(bob[0]!.balance).toBe(12_00n + 60n + 3_60n + 2_00n);
  });

  it('leaves nothing leased behind', async () => {
    await expect.poll(() => server.gauges).toMatchObject({ halfOpen: 0, live: 0, ports: { leased: 0, free: 16 } });
  });
});
