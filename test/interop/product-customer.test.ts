import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Customer,
  type CustomerIdentity,
  type CustomerOptions,
  type CustomerPolicy,
  DEFAULT_POLICY,
  verifyReceipt,
} from '../../src/customer/index.ts';
import { decodeReceipt } from './peer-inner.ts';
import { signOnPath, signTogether } from './peer-keys.ts';
import { type PeerServer, type PeerServerOptions, startServer } from './peer-server.ts';

/** The product's customer at a server that was written from docs/PROTOCOL.md alone. */

const CREDENTIAL = new Uint8Array(32).fill(0xc4);
const PROFILE = { email: 'alice@example.com', name: 'Алиса' };
const GROUP_IDS = { ffdhe2048: 0x0100, ffdhe3072: 0x0101, ffdhe4096: 0x0102 } as const;
const KEM_IDS = { 'ML-KEM-768': 0x0201, none: 0x0000 } as const;
const AEAD_IDS = { 'AES-256-GCM': 0x0002, 'ChaCha20-Poly1305': 0x001d } as const;
const PAYMENT = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };

const servers: PeerServer[] = [];
const customers: Customer[] = [];

afterEach(async () => {
  await Promise.allSettled(customers.splice(0).map((customer) => customer.close()));
  for (const server of servers.splice(0)) await server.close();
});

async function serve(options: Partial<PeerServerOptions> = {}): Promise<PeerServer> {
  const server = await startServer({
    hostKeySeed: new Uint8Array(32).fill(0x5a),
    customers: { alice: { profile: PROFILE, credential: CREDENTIAL } },
    process: () => ({
      outcome: 1,
      contentType: 'application/vnd.sallyport.transfer-result+json',
      result: '{"status":"committed"}',
    }),
    ...options,
  });
  servers.push(server);
  return server;
}

function customerOf(
  server: PeerServer,
  changes: Partial<CustomerIdentity> = {},
  policy: Partial<CustomerPolicy> = {},
  options: CustomerOptions = {},
): Customer {
  const customer = new Customer(
    {
      customerId: 'alice',
      profile: PROFILE,
      credential: CREDENTIAL,
      server: { host: '127.0.0.1', port: server.port },
      hostKey: new Uint8Array(server.hostKey),
      policy: { ...DEFAULT_POLICY, groups: ['ffdhe2048'], ...policy },
      ...changes,
    },
    { retryForMs: 0, ...options },
  );
  customers.push(customer);
  return customer;
}

describe('the product’s customer at a stranger’s server', () => {
  it.each(Object.keys(GROUP_IDS) as (keyof typeof GROUP_IDS)[])(
    'pays over %s with every KEM and cipher',
    async (group) => {
      for (const kem of Object.keys(KEM_IDS) as (keyof typeof KEM_IDS)[]) {
        for (const aead of Object.keys(AEAD_IDS) as (keyof typeof AEAD_IDS)[]) {
          const server = await serve({ groups: [GROUP_IDS[group]], kems: [KEM_IDS[kem]], aeads: [AEAD_IDS[aead]] });
          const payment = await customerOf(server, {}, { groups: [group], kems: [kem], aeads: [aead] }).pay(PAYMENT);
          expect(payment).toMatchObject({ outcome: 'processed', status: 'committed', sequence: 1n });
          expect(verifyReceipt(payment.evidence).valid).toBe(true);
        }
      }
    },
  );

  it('pays and says CLOSE in its first flight', async () => {
    const server = await serve();
    expect(await customerOf(server, {}, {}, { idleMs: 0 }).pay(PAYMENT)).toMatchObject({ status: 'committed' });
    await expect.poll(() => server.steps.at(-1)).toBe('CLOSE sent');
  });

  it.each([0, 8])('comes back with its cookie when asked, and solves a puzzle of %i bits', async (puzzleBits) => {
    const server = await serve({ retry: { puzzleBits } });
    expect(await customerOf(server).pay(PAYMENT)).toMatchObject({ status: 'committed' });
  });

  it('sends several transactions and a question in one session, and learns the next host key', async () => {
    const nextHostKey = new Uint8Array(32).fill(0x77);
    const server = await serve({
      nextHostKey,
      answer: () => ({
        status: 0,
        contentType: 'application/vnd.sallyport.balances+json',
        body: '{"accounts":[{"id":"alice.eur","currency":"EUR","balance":"87.50","limit":"0.00"}]}',
      }),
    });
    const customer = customerOf(server);
    const learned: unknown[] = [];
    customer.on('hostKeys', (keys) => learned.push(keys));
    const paid = await Promise.all(Array.from({ length: 10 }, () => customer.pay(PAYMENT)));
    expect(paid.map(({ sequence }) => Number(sequence)).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await customer.balance()).toMatchObject([{ id: 'alice.eur', balance: '87.50' }]);
    expect(learned).toMatchObject([{ nextHostKey }]);
  });

  /** The path of the first receipt that a server made. */
  const pathOf = (server: PeerServer) => decodeReceipt([...server.receipts.values()][0]!).signature.path;

  it.each([
    ['first of two', 0, 2, 1],
    ['second of two', 1, 2, 1],
    ['second of three', 1, 3, 2],
    ['last of three', 2, 3, 1],
    ['fourth of five', 3, 5, 3],
    ['last of five', 4, 5, 1],
    ['middle of fifty', 25, 50, 6],
  ])('takes an OFFER and a receipt signed as the %s', async (_, place, size, levels) => {
    const server = await serve({
      sign: (key, message) => {
        const batch = Array.from({ length: size }, (_none, i) => (i === place ? message : randomBytes(300)));
        return signTogether(key, batch)[place]!;
      },
    });
    const payment = await customerOf(server).pay(PAYMENT);
    expect(payment).toMatchObject({ status: 'committed' });
    expect(verifyReceipt(payment.evidence).valid).toBe(true);
    expect(pathOf(server)).toHaveLength(levels);
  });

  it('takes an OFFER and a receipt with a path of sixteen hashes', async () => {
    const path = Array.from({ length: 16 }, (_, i) => Buffer.alloc(32, 0x11 * i));
    const server = await serve({ sign: (key, message) => signOnPath(key, message, path) });
    const payment = await customerOf(server).pay(PAYMENT);
    expect(verifyReceipt(payment.evidence).valid).toBe(true);
    expect(pathOf(server)).toEqual(path);
  });

  it('is told of a refusal, a failed identity and a policy that is not shared', async () => {
    const server = await serve({ process: () => ({ refusal: 0x0b, retryAfterMs: 0, text: 'No such thing.' }) });
    await expect(customerOf(server).pay(PAYMENT)).rejects.toMatchObject({ code: 'TRANSACTION_MALFORMED' });
    await expect(customerOf(server, { credential: new Uint8Array(32) }).pay(PAYMENT)).rejects.toMatchObject({
      code: 'AUTH_FAILED',
    });
    const strict = await serve({ groups: [GROUP_IDS.ffdhe4096] });
    await expect(customerOf(strict).pay(PAYMENT)).rejects.toMatchObject({ code: 'NO_COMMON_PARAMETERS' });
  });
});
