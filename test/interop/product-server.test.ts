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
const pay = (amount: string) => ({ contentType: TRANSFER, body: JSON.stringify({ from: 'alice.eur', to: 'bob.eur', amount, currency: 'EUR' }) });

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
  it.each([0x0100, 0x0101, 0x0102])('pays over group %i, with and without ML-KEM, with both ciphers', async (group) => {
    for (const kem of [0x0201, 0x0000]) {
      for (const aead of [0x0002, 0x001d]) {
        const result = await session({ policy: { groups: [group], kems: [kem], aeads: [aead] }, documents: [pay('1.00')] });
        console.log(result);
        expect(result).toBeDefined();
      }
    }
  });
});
