import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signBatch } from '../../../src/crypto/batch-signature.ts';
import { hostKeyId } from '../../../src/crypto/identity.ts';
import { Customer } from '../../../src/customer/customer.ts';
import { type CustomerIdentity, DEFAULT_POLICY } from '../../../src/customer/customer-identity.ts';
import type { CustomerOptions } from '../../../src/customer/customer-interface.ts';
import type {
  CustomerSession,
  QueryAnswer,
  QueryRequest,
  SessionHooks,
  TransactionAnswer,
  TransactionRequest,
} from '../../../src/customer/customer-session.ts';
import { type ErrorCode, SallyportError } from '../../../src/errors.ts';
import { encodeUnsignedReceipt, receiptSignatureInput, transactionHashInput } from '../../../src/wire/receipt.ts';

interface Host {
  readonly key: Uint8Array;
  readonly privateKey: KeyObject;
}

function makeHost(): Host {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { key: new Uint8Array(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')), privateKey };
}

const HOST = makeHost();
const ALICE: CustomerIdentity = {
  customerId: 'alice',
  profile: {},
  credential: new Uint8Array(32),
  server: { host: 'localhost', port: 7919 },
  hostKey: HOST.key,
  policy: DEFAULT_POLICY,
};
const PAYMENT = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };

function receiptFor(
  request: TransactionRequest,
  host = HOST,
  result: object = { status: 'committed' },
): TransactionAnswer {
  const unsigned = encodeUnsignedReceipt({
    transactionId: request.transactionId,
    outcome: 'processed',
    sequence: 7n,
    committedTimeUs: 1n,
    bodyHash: createHash('sha256').update(transactionHashInput(request.contentType, request.body)).digest(),
    resultContentType: 'application/json',
    result: Buffer.from(JSON.stringify(result)),
    salt: randomBytes(16),
    keyId: hostKeyId(host.key),
  });
  const message = receiptSignatureInput('alice', unsigned);
  const signature = signBatch((root) => sign(null, root, host.privateKey), [message])[0]!;
  return { kind: 'receipt', receipt: new Uint8Array(Buffer.concat([unsigned, signature])), hostKey: HOST.key };
}

function unanswered(code: ErrorCode, sent: boolean, retryAfterMs?: number): TransactionAnswer & QueryAnswer {
  const error = new SallyportError(code, `it was ${code}`, retryAfterMs === undefined ? {} : { retryAfterMs });
  return { kind: 'unanswered', error, sent };
}

type Script = (request: TransactionRequest, attempt: number) => TransactionAnswer | Promise<TransactionAnswer>;

/** Sessions that answer by a script; like real ones, a session that left something unanswered is over. */
class FakeServer {
  readonly requests: TransactionRequest[] = [];
  readonly queries: QueryRequest[] = [];
  readonly hooks: SessionHooks[] = [];
  opened = 0;
  closed = 0;
  script: Script;
  answerQuery: (request: QueryRequest, attempt: number) => QueryAnswer = () => unanswered('BUSY', false);
  ready: () => Promise<void> = () => Promise.resolve();

  constructor(script: Script = (request) => receiptFor(request)) {
    this.script = script;
  }

  customer(options: CustomerOptions = {}, identity = ALICE): Customer {
    return new Customer(identity, options, { openSession: (_identity, hooks) => this.#open(hooks) });
  }

  #open(hooks: SessionHooks): CustomerSession {
    this.opened++;
    this.hooks.push(hooks);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const { promise: aborted, resolve: abort } = Promise.withResolvers<TransactionAnswer & QueryAnswer>();
    let accepting = true;
    const finish = (): void => {
      accepting = false;
      end();
    };
    const ready = this.ready();
    ready.catch(finish);
    return {
      get accepting() {
        return accepting;
      },
      ready,
      ended,
      transact: async (request) => {
        this.requests.push(request);
        const answer = await Promise.race([aborted, this.script(request, this.requests.length)]);
        if (answer.kind === 'unanswered') finish();
        return answer;
      },
      query: async (request) => {
        this.queries.push(request);
        return this.answerQuery(request, this.queries.length);
      },
      close: async () => {
        this.closed++;
        finish();
      },
      abort: (error) => {
        abort({ kind: 'unanswered', error, sent: true });
        finish();
      },
    };
  }
}

async function failureOf(action: Promise<unknown>): Promise<SallyportError> {
  const error: unknown = await action.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SallyportError)) throw new Error(`no SallyportError but ${String(error)}`);
  return error;
}

const idsOf = (server: FakeServer): string[] =>
  server.requests.map(({ transactionId }) => Buffer.from(transactionId).toString('hex'));

describe('a customer', () => {
  it('pays, and holds a verified receipt', async () => {
    const server = new FakeServer();
    await using customer = server.customer();
    const paid = await customer.pay(PAYMENT);
    expect(paid).toMatchObject({
      status: 'committed',
      outcome: 'processed',
      sequence: 7n,
      transactionId: idsOf(server)[0],
    });
    expect(Buffer.from(paid.evidence.body).toString()).toBe(JSON.stringify(PAYMENT));
  });

  it('carries many requests in one session, and closes it', async () => {
    const server = new FakeServer();
    const customer = server.customer();
    await Promise.all(Array.from({ length: 20 }, () => customer.pay(PAYMENT)));
    expect(new Set(idsOf(server)).size).toBe(20);
    await customer.close();
    expect([server.opened, server.closed]).toEqual([1, 1]);
    expect((await failureOf(customer.pay(PAYMENT))).code).toBe('BAD_ARGUMENT');
  });

  it('closes a session that is idle, and opens another when needed', async () => {
    const server = new FakeServer();
    await using customer = server.customer({ idleMs: 1 });
    await customer.pay(PAYMENT);
    await new Promise<void>((done) => {
      const look = (): void => (server.closed === 1 ? done() : void setTimeout(look, 1));
      look();
    });
    await customer.pay(PAYMENT);
    expect(server.opened).toBe(2);
  });

  it('that keeps no session closes it with what was asked for in one turn, and opens another for the next', async () => {
    const server = new FakeServer();
    await using customer = server.customer({ idleMs: 0 });
    const both = [customer.pay(PAYMENT), customer.pay(PAYMENT)];
    await Promise.resolve();
    expect([server.opened, server.closed]).toEqual([1, 0]);
    await new Promise((turn) => setImmediate(turn));
    expect([server.opened, server.closed]).toEqual([1, 1]);
    await Promise.all(both);
    await customer.pay(PAYMENT);
    expect(server.opened).toBe(2);
  });

  it('that keeps no session asks again all the same', async () => {
    const server = new FakeServer((request, attempt) =>
      attempt === 1 ? unanswered('TRUNCATED', true) : receiptFor(request),
    );
    await using customer = server.customer({ idleMs: 0 });
    await customer.pay(PAYMENT);
    expect(server.opened).toBe(2);
    expect(new Set(idsOf(server)).size).toBe(1);
  });

  it('asks again with the same id, on a new session, until there is a receipt', async () => {
    const server = new FakeServer((request, attempt) => {
      if (attempt === 1) return unanswered('TRUNCATED', true);
      if (attempt === 2) return unanswered('BUSY', false, 1);
      if (attempt === 3) return { kind: 'refusal', code: 'INTERNAL', text: '', retryAfterMs: 1 };
      return receiptFor(request);
    });
    await using customer = server.customer();
    const notices: ErrorCode[] = [];
    customer.on('retry', ({ error }) => notices.push(error.code));
    await customer.pay(PAYMENT);
    expect(new Set(idsOf(server)).size).toBe(1);
    expect(notices).toEqual(['TRUNCATED', 'BUSY', 'INTERNAL']);
    // A refusal leaves its session open; an end does not.
    expect(server.opened).toBe(3);
  });

  it('says OUTCOME_UNKNOWN, with the id, when what was sent cannot be settled', async () => {
    const server = new FakeServer(() => unanswered('TRUNCATED', true));
    await using customer = server.customer({ retryForMs: 0 });
    const error = await failureOf(customer.pay({ ...PAYMENT, transactionId: 'ab'.repeat(16) }));
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', transactionId: 'ab'.repeat(16) });
    expect((error.cause as SallyportError).code).toBe('TRUNCATED');
  });

  it('once sent stays unknown, whatever the later tries say, unless the server settles it', async () => {
    const afterLoss = async (answer: TransactionAnswer): Promise<ErrorCode> => {
      const server = new FakeServer((_, attempt) => (attempt === 1 ? unanswered('TRUNCATED', true) : answer));
      await using customer = server.customer({ retryForMs: 30 });
      return (await failureOf(customer.pay(PAYMENT))).code;
    };
    expect(await afterLoss(unanswered('UNREACHABLE', false))).toBe('OUTCOME_UNKNOWN');
    expect(await afterLoss(unanswered('AUTH_FAILED', false))).toBe('OUTCOME_UNKNOWN');
    expect(await afterLoss(unanswered('HOST_KEY_MISMATCH', false))).toBe('OUTCOME_UNKNOWN');
    expect(await afterLoss({ kind: 'refusal', code: 'INTERNAL', text: '', retryAfterMs: 0 })).toBe('OUTCOME_UNKNOWN');
    expect(await afterLoss({ kind: 'refusal', code: 'IDEMPOTENCY_CONFLICT', text: '', retryAfterMs: 0 })).toBe(
      'IDEMPOTENCY_CONFLICT',
    );
    expect(await afterLoss({ kind: 'refusal', code: 'TRANSACTION_MALFORMED', text: '', retryAfterMs: 0 })).toBe(
      'TRANSACTION_MALFORMED',
    );
  });

  it('gives the error itself when nothing was sent, and does not retry what cannot help', async () => {
    for (const code of ['AUTH_FAILED', 'HOST_KEY_MISMATCH', 'DOWNGRADE', 'NO_COMMON_PARAMETERS'] as const) {
      const server = new FakeServer(() => unanswered(code, false));
      await using customer = server.customer();
      expect(await failureOf(customer.pay(PAYMENT))).toMatchObject({ code, message: `it was ${code}` });
      expect(server.opened).toBe(1);
    }
    const server = new FakeServer(() => unanswered('BUSY', false, 1));
    await using customer = server.customer({ retryForMs: 400 });
    expect(await failureOf(customer.pay(PAYMENT))).toMatchObject({ code: 'BUSY', retryAfterMs: 1 });
    expect(server.opened).toBeGreaterThan(1);
  });

  it('refuses a receipt that is not for this transaction, or not from this server', async () => {
    const other = new FakeServer((request) => receiptFor({ ...request, body: new Uint8Array(1) }));
    await using first = other.customer();
    expect((await failureOf(first.pay(PAYMENT))).code).toBe('BAD_RECEIPT');
    const stranger = new FakeServer((request) => receiptFor(request, makeHost()));
    await using second = stranger.customer();
    expect((await failureOf(second.pay(PAYMENT))).code).toBe('BAD_RECEIPT');
    expect(stranger.requests).toHaveLength(1);
  });

  it('accepts the receipt of an earlier host key that it had pinned', async () => {
    const earlier = makeHost();
    const server = new FakeServer((request) => receiptFor(request, earlier));
    await using customer = server.customer({}, { ...ALICE, pastHostKeys: [earlier.key] });
    const { evidence } = await customer.pay(PAYMENT);
    expect(evidence.hostKey).toEqual(earlier.key);
  });

  it('checks a payment before anything is sent', async () => {
    const server = new FakeServer();
    await using customer = server.customer();
    expect((await failureOf(customer.pay({ ...PAYMENT, amount: '1,00' }))).message).toContain('amount "1,00"');
    expect((await failureOf(customer.pay({ ...PAYMENT, transactionId: 'xyz' }))).code).toBe('BAD_ARGUMENT');
    expect((await failureOf(customer.send({ contentType: 'ü', body: new Uint8Array() }))).code).toBe('BAD_ARGUMENT');
    expect((await failureOf(customer.send({ contentType: 'a/b', body: new Uint8Array(61_441) }))).code).toBe(
      'TOO_LARGE',
    );
    expect(server.opened).toBe(0);
  });

  it('stops waiting when its signal aborts: unknown when sent, interrupted when not', async () => {
    const sent = new AbortController();
    const silent = new FakeServer(() => {
      setImmediate(() => sent.abort());
      return new Promise(() => {});
    });
    await using first = silent.customer({ signal: sent.signal });
    expect((await failureOf(first.pay(PAYMENT))).code).toBe('OUTCOME_UNKNOWN');
    const waiting = new AbortController();
    const busy = new FakeServer(() => unanswered('BUSY', false, 60_000_000));
    await using second = busy.customer({ signal: waiting.signal, retryForMs: 100_000_000 });
    second.on('retry', () => waiting.abort());
    expect((await failureOf(second.pay(PAYMENT))).code).toBe('BUSY');
  });

  it('tries once more when a person decided about the host key for longer than the port was held', async () => {
    const { hostKey: _, ...unmet } = ALICE;
    const server = new FakeServer((request, attempt) => {
      if (attempt > 1) return receiptFor(request);
      server.hooks.at(-1)!.onHostKeys({ hostKey: HOST.key, nextHostKey: undefined, pastHostKeys: [] });
      return unanswered('BAD_CLAIM', false);
    });
    await using customer = server.customer(
      { retryForMs: 0 },
      { ...unmet, policy: { ...DEFAULT_POLICY, trust: 'tofu' } },
    );
    expect((await customer.pay(PAYMENT)).status).toBe('committed');
    expect(server.opened).toBe(2);
  });

  it('remembers what the server says about its host keys, once', async () => {
    const remembered: unknown[] = [];
    const next = makeHost().key;
    const customer = new Customer(
      ALICE,
      {},
      {
        openSession: (_identity, hooks) => {
          hooks.onHostKeys({ hostKey: HOST.key, nextHostKey: next, pastHostKeys: [] });
          hooks.onHostKeys({ hostKey: HOST.key, nextHostKey: next, pastHostKeys: [] });
          return fakeIdleSession();
        },
        remember: async (keys) => {
          remembered.push(keys);
          throw new Error('read-only file system');
        },
      },
    );
    const warnings: string[] = [];
    customer.on('warning', (message) => warnings.push(message));
    await customer.connect();
    await customer.close();
    expect(remembered).toEqual([{ hostKey: HOST.key, nextHostKey: next, pastHostKeys: [] }]);
    expect(warnings).toEqual([expect.stringContaining('read-only file system')]);
  });
});

describe('questions', () => {
  const answerOf = (value: unknown): QueryAnswer => ({
    kind: 'answer',
    contentType: 'x',
    body: Buffer.from(JSON.stringify(value)),
  });

  it('are asked again when the server was busy, and read with care', async () => {
    const accounts = [{ id: 'alice.eur', currency: 'EUR', balance: '87.50', limit: '0.00' }];
    const server = new FakeServer();
    server.answerQuery = (_, attempt) => (attempt === 1 ? unanswered('BUSY', false, 1) : answerOf({ accounts }));
    await using customer = server.customer();
    expect(await customer.balance()).toEqual(accounts);
    server.answerQuery = () => answerOf({ accounts: [{ ...accounts[0], balance: '1e9' }] });
    expect((await failureOf(customer.balance())).message).toContain('accounts.0.balance');
    server.answerQuery = () => ({ kind: 'answer', contentType: 'x', body: Uint8Array.of(0xff) });
    expect((await failureOf(customer.balance())).code).toBe('BAD_FRAME');
  });

  it('about an account of somebody else find nothing', async () => {
    const server = new FakeServer();
    server.answerQuery = () => ({ kind: 'refusal', code: 'TRANSACTION_MALFORMED' });
    await using customer = server.customer();
    expect(await failureOf(customer.history('bob.eur'))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('bob.eur'),
    });
    expect(JSON.parse(Buffer.from(server.queries[0]!.body).toString())).toEqual({ account: 'bob.eur' });
  });
});

function fakeIdleSession(): CustomerSession {
  const never = new Promise<never>(() => {});
  return {
    accepting: true,
    ready: Promise.resolve(),
    ended: Promise.resolve(),
    transact: () => never,
    query: () => never,
    close: () => Promise.resolve(),
    abort: () => {},
  };
}
