import { afterEach, describe, expect, it } from 'vitest';
import { type Customer, DEFAULT_POLICY } from '../../src/customer/index.ts';
import { receiptKeys } from '../../src/ledger/receipts.ts';
import { SqliteStorage } from '../../src/ledger/storage/sqlite.ts';
import { verifyLedger } from '../../src/ledger/verification.ts';
import type { EndedSession, ServerStep } from '../../src/server/index.ts';
import { LIGHT_POLICY, openDescriptors, Stage } from './stage.ts';

const stages: Stage[] = [];
const customers: Customer[] = [];

async function openStage(...options: Parameters<typeof Stage.open>): Promise<Stage> {
  const stage = await Stage.open(...options);
  stages.push(stage);
  return stage;
}

function opened(customer: Customer): Customer {
  customers.push(customer);
  return customer;
}

afterEach(async () => {
  await Promise.allSettled(customers.splice(0).map((customer) => customer.close()));
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]();
});

const payment = { from: 'alice.eur', to: 'bob.eur', amount: '1.25', currency: 'EUR' };

describe('a secure transaction', () => {
  it('goes through every step of the method, in order, on both sides', async () => {
    const stage = await openStage();
    const alice = opened(stage.customer(await stage.enroll('alice', 100_00n)));
    await stage.enroll('bob');
    const serverSteps: ServerStep[] = [];
    const customerSteps: string[] = [];
    stage.server.on('step', (step) => serverSteps.push(step));
    alice.on('step', ({ step }) => customerSteps.push(step));
    const settlement = await alice.pay(payment);
    await alice.close();
    expect(settlement).toMatchObject({ outcome: 'processed', status: 'committed' });
    expect(serverSteps.map(({ step }) => step)).toEqual([
      'customer-connected',
      'hello-received',
      'offer-sent',
      'customer-moved',
      'claim-accepted',
      'customer-value-received',
      'shared-value-made',
      'keys-made',
      'profile-received',
      'profile-compared',
      'transaction-decrypted',
      'transaction-processed',
      'closed',
    ]);
    expect(customerSteps).toEqual(
      expect.arrayContaining([
        'connecting',
        'offer-checked',
        'moving',
        'customer-value-sent',
        'keys-made',
        'identity-verified',
        'receipt-received',
        'closed',
      ]),
    );
    expect(new Set(serverSteps.flatMap(({ session }) => session ?? [])).size).toBe(1);
    expect(await stage.balances('alice', 'bob')).toEqual([98_75n, 1_25n]);
  });

  it.each(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'] as const)(
    'works over %s with every cipher and KEM',
    async (group) => {
      const stage = await openStage();
      const identity = await stage.enroll('alice', 100_00n);
      await stage.enroll('bob');
      for (const kem of ['ML-KEM-768', 'none'] as const) {
        for (const aead of ['AES-256-GCM', 'ChaCha20-Poly1305'] as const) {
          const policy = { ...DEFAULT_POLICY, groups: [group], kems: [kem], aeads: [aead] };
          const alice = opened(stage.customer({ ...identity, policy }));
          expect(await alice.pay(payment)).toMatchObject({ status: 'committed' });
        }
      }
    },
  );

  it('carries several transactions and questions in one session', async () => {
    const stage = await openStage();
    const alice = opened(stage.customer(await stage.enroll('alice', 100_00n)));
    await stage.enroll('bob');
    const ended: EndedSession[] = [];
    stage.server.on('session-end', (end) => ended.push(end));
    const paid = await Promise.all(Array.from({ length: 40 }, () => alice.pay({ ...payment, amount: '0.50' })));
    expect(paid.every(({ status }) => status === 'committed')).toBe(true);
    expect(await alice.balance()).toMatchObject([{ id: 'alice.eur', balance: '80.00' }]);
    expect((await alice.history('alice.eur', { limit: 5 })).entries).toHaveLength(5);
    expect(await alice.pay({ ...payment, amount: '1000.00' })).toMatchObject({
      outcome: 'refused',
      status: 'insufficient-funds',
    });
    await alice.close();
    await expect
      .poll(() => ended)
      .toMatchObject([{ reason: 'completed', customer: 'alice', transactions: 41, queries: 2 }]);
  });

  it('asks again with the same id, over a restart of the server too, and gets the same receipt', async () => {
    const stage = await openStage();
    const identity = await stage.enroll('alice', 100_00n);
    await stage.enroll('bob');
    const transactionId = new Uint8Array(16).fill(9);
    const first = await opened(stage.customer(identity)).pay({ ...payment, transactionId });
    await stage.restart();
    const again = await opened(stage.customer(identity)).pay({ ...payment, transactionId });
    expect(again.sequence).toBe(first.sequence);
    expect(again.evidence).toEqual(first.evidence);
    await expect(
      opened(stage.customer(identity)).pay({ ...payment, amount: '9.99', transactionId }),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(await stage.balances('bob')).toEqual([1_25n]);
  });

  it('serves many sessions on two shared ports', async () => {
    const stage = await openStage({
      'port-mode': 'shared',
      'second-ports': { kind: 'system', count: 2 },
      'shared-sessions-max': 50,
    });
    const identity = await stage.enroll('alice', 100_00n);
    await stage.enroll('bob');
    const sessions = Array.from({ length: 20 }, () => opened(stage.customer(identity)));
    await Promise.all(sessions.map((each) => each.connect()));
    expect(stage.server.gauges.ports).toMatchObject({ leased: 20, free: 30 });
    await Promise.all(sessions.map((each) => each.pay(payment)));
    await Promise.all(sessions.map((each) => each.close()));
    await expect.poll(() => stage.server.gauges).toMatchObject({ live: 0, halfOpen: 0, ports: { leased: 0 } });
    expect(await stage.balances('bob')).toEqual([25_00n]);
  });
});

describe('what is refused', () => {
  it('tells nobody which of customer, profile and credential was wrong', async () => {
    const stage = await openStage();
    const identity = await stage.enroll('alice', 100_00n);
    await stage.enroll('bob');
    const wrong = [
      { ...identity, customerId: 'nobody' },
      { ...identity, profile: { ...identity.profile, born: '1990-02-01' } },
      { ...identity, profile: { email: identity.profile.email! } },
      { ...identity, credential: new Uint8Array(32) },
    ];
    const messages = new Set<string>();
    for (const each of wrong) {
      const failure = await opened(stage.customer(each))
        .pay(payment)
        .then(
          () => undefined,
          (error: Error) => error,
        );
      expect(failure).toMatchObject({ code: 'AUTH_FAILED' });
      messages.add(failure!.message.replace(each.customerId, 'X').replace(/:\d+/, ':PORT'));
    }
    expect(messages.size).toBe(1);
    await stage.server.ledger.setCustomerStatus('alice', 'disabled');
    await expect(opened(stage.customer(identity)).pay(payment)).rejects.toMatchObject({ code: 'AUTH_FAILED' });
    expect(await stage.balances('alice', 'bob')).toEqual([100_00n, 0n]);
  });

  it('is a host key that changed, hard', async () => {
    const stage = await openStage({ 'lease-ms': 300 });
    const identity = await stage.enroll('alice', 100_00n);
    const other = new Uint8Array(stage.server.state.hostPublicKey);
    other[0]! ^= 1;
    await expect(opened(stage.customer({ ...identity, hostKey: other })).connect()).rejects.toMatchObject({
      code: 'HOST_KEY_MISMATCH',
    });
    await expect.poll(() => stage.server.gauges.halfOpen).toBe(0);
  });

  it('is a policy the server does not share', async () => {
    const stage = await openStage({ groups: ['ffdhe3072'] });
    const identity = await stage.enroll('alice');
    await expect(opened(stage.customer({ ...identity, policy: LIGHT_POLICY })).connect()).rejects.toMatchObject({
      code: 'NO_COMMON_PARAMETERS',
    });
  });

  it('is a customer for whom there is no port, with BUSY and a time, until one is free', async () => {
    const stage = await openStage({ 'second-ports': { kind: 'system', count: 1 } });
    const identity = await stage.enroll('alice', 100_00n);
    await stage.enroll('bob');
    const first = opened(stage.customer(identity, { idleMs: 60_000 }));
    await first.connect();
    await expect(opened(stage.customer(identity)).connect()).rejects.toMatchObject({
      code: 'BUSY',
      retryAfterMs: expect.any(Number),
    });
    const patient = opened(stage.customer(identity, { retryForMs: 30_000 })).pay(payment);
    await first.close();
    expect(await patient).toMatchObject({ status: 'committed' });
  });

  it('is a door beyond the quota, told before a byte was read', async () => {
    const stage = await openStage({ 'half-open-per-host': 1, 'lease-ms': 400 });
    const identity = await stage.enroll('alice', 100_00n);
    const silent = await import('node:net').then(({ connect }) => connect(stage.server.address.port, '127.0.0.1'));
    await expect.poll(() => stage.server.gauges.halfOpen).toBe(1);
    await expect(opened(stage.customer(identity)).connect()).rejects.toMatchObject({ code: 'BUSY' });
    expect(stage.server.gauges.refused).toEqual({ 'half-open-host': 1 });
    silent.destroy();
    await expect.poll(() => stage.server.gauges.halfOpen).toBe(0);
    await opened(stage.customer(identity)).connect();
  });
});

describe('stopping', () => {
  it('lets sessions finish, refuses new ones, and gives everything back', async () => {
    const before = openDescriptors();
    const stage = await Stage.open();
    const identity = await stage.enroll('alice', 100_00n);
    await stage.enroll('bob');
    const alice = opened(stage.customer(identity, { idleMs: 60_000 }));
    await alice.connect();
    const stopping = stage.server.stop({ drainMs: 30_000 });
    await expect(opened(stage.customer(identity)).connect()).rejects.toMatchObject({
      code: expect.stringMatching(/UNREACHABLE|SHUTDOWN/),
    });
    expect(await alice.pay(payment)).toMatchObject({ status: 'committed' });
    await alice.close();
    await stopping;
    await stage[Symbol.asyncDispose]();
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before + 2);
  });

  it('tells those that stay beyond its limit SHUTDOWN', async () => {
    const stage = await openStage();
    const alice = opened(stage.customer(await stage.enroll('alice', 100_00n), { idleMs: 60_000 }));
    await stage.enroll('bob');
    await alice.connect();
    const ended: EndedSession[] = [];
    stage.server.on('session-end', (end) => ended.push(end));
    await stage.server.stop({ drainMs: 0 });
    expect(ended).toMatchObject([{ reason: 'alertSent', code: 'SHUTDOWN' }]);
  });
});

describe('two thousand sessions at once', () => {
  const SESSIONS = 2_000;

  it('each on a port of its own, all pay, and everything is free afterwards', { timeout: 240_000 }, async () => {
    const descriptorsBefore = openDescriptors();
    const stage = await openStage({
      'second-ports': { kind: 'system', count: SESSIONS },
      'lease-ms': 120_000,
      'idle-timeout-ms': 200_000,
      'session-timeout-ms': 200_000,
      'auth-timeout-ms': 60_000,
      'customer-key-timeout-ms': 60_000,
      'hello-timeout-ms': 60_000,
    });
    const identity = await stage.enroll('alice', 1_000_000_00n);
    await stage.enroll('bob');
    const ports = new Set<number>();
    stage.server.on('step', ({ step, detail }) => {
      if (step === 'offer-sent') ports.add(Number(detail.secondPort));
    });
    const sessions: Customer[] = [];
    // In groups, as customers come; all stay.
    for (let count = 0; count < SESSIONS; count += 100) {
      const group = Array.from({ length: 100 }, () => stage.customer(identity, { idleMs: 600_000 }));
      await Promise.all(group.map((each) => each.connect()));
      sessions.push(...group);
    }
    expect(ports.size).toBe(SESSIONS);
    expect(stage.server.gauges).toMatchObject({ live: SESSIONS, ports: { leased: SESSIONS, free: 0, quarantined: 0 } });
    const paid = await Promise.all(sessions.map((each) => each.pay({ ...payment, amount: '0.01' })));
    expect(paid.filter(({ status }) => status === 'committed')).toHaveLength(SESSIONS);
    await Promise.all(sessions.map((each) => each.close()));
    await expect
      .poll(() => stage.server.gauges, { timeout: 10_000 })
      .toMatchObject({ live: 0, halfOpen: 0, ports: { leased: 0, free: SESSIONS } });
    expect(await stage.balances('bob')).toEqual([BigInt(SESSIONS)]);
    const storage = new SqliteStorage({ path: stage.server.state.ledgerPath, readOnly: true });
    await storage.open();
    expect((await verifyLedger(storage, { keys: receiptKeys([stage.server.state.hostPublicKey]) })).findings).toEqual(
      [],
    );
    await storage.close();
    await stage.server.stop();
    await expect.poll(openDescriptors, { timeout: 10_000 }).toBeLessThanOrEqual(descriptorsBefore + 2);
  });
});
