/** The customer program as an object: transactions that are sent until they have a valid receipt or a typed error. */

import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { hostKeyId } from '../crypto/identity.ts';
import { SallyportError } from '../errors.ts';
import { TRANSACTION_BODY_BYTES_MAX, TRANSACTION_ID_BYTES } from '../limits.ts';
import { presentFacts } from '../session/method-steps.ts';
import { decodeReceipt, isContentType } from '../wire/receipt.ts';
import { type AccountBalance, decodeBalances, decodeHistory, decodeTransferStatus, type History } from './answers.ts';
import { readCustomerFile, rememberHostKeys } from './customer-file.ts';
import type { CustomerIdentity } from './customer-identity.ts';
import type {
  CustomerEvents,
  CustomerInternals,
  CustomerOptions,
  Document,
  HistoryPage,
  Payment,
  PaymentSettlement,
  Settlement,
} from './customer-interface.ts';
import type {
  CustomerSession,
  OpenSession,
  QueryRequest,
  TransactionAnswer,
  TransactionRequest,
} from './customer-session.ts';
import type { HostKeys } from './host-keys.ts';
import { type ReceiptEvidence, verifyReceipt } from './receipt-file.ts';
import { decideRetry, finalError } from './retry.ts';
import { openSocketSession } from './session-client.ts';
import { BALANCES_TYPE, encodeTransfer, faultsOfTransfer, HISTORY_TYPE, TRANSFER_TYPE } from './transfer.ts';

/** A minute outlasts a restart of the server; a person at a terminal sets less. */
const RETRY_FOR_MS_DEFAULT = 60_000;
/** An idle session holds one of the server's ports: long enough for the next call of a program, short enough to be polite. */
const IDLE_MS_DEFAULT = 2_000;

/**
 * One customer of one server. Requests made together travel together; sessions are opened when needed and closed when idle. Methods may
 * be called concurrently. Every error is a SallyportError; OUTCOME_UNKNOWN says that a transaction may or may not have taken effect, and
 * carries the `transactionId` to ask again with.
 */
export class Customer extends EventEmitter<CustomerEvents> {
  #identity: CustomerIdentity;
  readonly #options: CustomerOptions;
  readonly #openSession: OpenSession;
  readonly #remember: ((keys: HostKeys) => Promise<void>) | undefined;
  #session: CustomerSession | undefined;
  /** Sessions that carry no more requests and still wait for answers. */
  readonly #closing = new Set<Promise<void>>();
  #remembering: Promise<void> = Promise.resolve();
  #idleTimer: NodeJS.Timeout | undefined;
  #requests = 0;
  #closed = false;

  /** `internals` is for `fromFile` and for tests. */
  constructor(identity: CustomerIdentity, options: CustomerOptions = {}, internals: CustomerInternals = {}) {
    super();
    this.#identity = identity;
    this.#options = options;
    this.#openSession = internals.openSession ?? openSocketSession;
    this.#remember = internals.remember;
  }

  /** A customer as `sallyport enroll` made it; what its server announces about host keys is remembered in the file. BAD_FILE. */
  static async fromFile(path: string, options: CustomerOptions = {}): Promise<Customer> {
    const identity = await readCustomerFile(path);
    return new Customer(identity, options, { remember: (keys) => rememberHostKeys(path, identity, keys) });
  }

  get customerId(): string {
    return this.#identity.customerId;
  }

  /** Opens a session and proves both identities, without asking for anything. Requests do this by themselves. */
  async connect(): Promise<void> {
    await this.#persist(async () => {
      const session = this.#currentSession();
      await session.ready;
    });
  }

  /** Pays. A refusal by the ledger is a settlement with another status than `committed`, not an error. */
  async pay(payment: Payment): Promise<PaymentSettlement> {
    const { transactionId, ...transfer } = payment;
    const [fault] = faultsOfTransfer(transfer);
    if (fault !== undefined) throw new SallyportError('BAD_ARGUMENT', `${fault.field} ${fault.fault}`);
    const settlement = await this.send({
      contentType: TRANSFER_TYPE,
      body: encodeTransfer(transfer),
      ...(transactionId === undefined ? {} : { transactionId }),
    });
    const status = decodeTransferStatus(settlement.result);
    if (status === undefined) {
      throw new SallyportError('BAD_RECEIPT', 'the receipt is valid and its result is none of a transfer', {
        transactionId: settlement.transactionId,
      });
    }
    return { ...settlement, status };
  }

  /** Sends any document, and asks again with the same id until there is a valid receipt. */
  async send(document: Document): Promise<Settlement> {
    const request = transactionRequest(document);
    const id = hex(request.transactionId);
    let mayHaveTakenEffect = false;
    try {
      return await this.#persist(async () => {
        const answer = await this.#sessionForRequest().transact(request);
        if (answer.kind === 'unanswered') {
          mayHaveTakenEffect ||= answer.sent;
          throw answer.error;
        }
        if (answer.kind === 'refusal') {
          // These two say that this document was not and will not be processed under this id, whatever became of earlier tries.
          if (answer.code === 'TRANSACTION_MALFORMED' || answer.code === 'IDEMPOTENCY_CONFLICT')
            mayHaveTakenEffect = false;
          throw refusalError(answer);
        }
        return this.#settle(request, answer);
      });
    } catch (error) {
      if (error instanceof SallyportError) throw finalError(error, id, mayHaveTakenEffect);
      throw error;
    }
  }

  /** The customer's own accounts, by id. */
  async balance(): Promise<AccountBalance[]> {
    return decodeBalances(await this.#ask({ contentType: BALANCES_TYPE, body: new TextEncoder().encode('{}') }, ''));
  }

  /** A page of the history of one of the customer's own accounts, newest first. NOT_FOUND for any other account. */
  async history(account: string, page: HistoryPage = {}): Promise<History> {
    const body = new TextEncoder().encode(JSON.stringify({ account, ...page }));
    return decodeHistory(await this.#ask({ contentType: HISTORY_TYPE, body }, account));
  }

  /** Waits for what was asked, says goodbye, and frees the port. The customer can be used no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retire();
    await Promise.all(this.#closing);
    await this.#remembering;
  }

  /** `await using customer = …` closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #ask(request: QueryRequest, account: string): Promise<Uint8Array> {
    return this.#persist(async () => {
      const answer = await this.#sessionForRequest().query(request);
      if (answer.kind === 'unanswered') throw answer.error;
      if (answer.kind === 'answer') return answer.body;
      if (answer.code === 'TRANSACTION_MALFORMED' && account !== '') {
        throw new SallyportError('NOT_FOUND', `${account} is not an account of customer ${this.customerId}`);
      }
      throw new SallyportError(answer.code, `the server did not answer the question (${request.contentType})`);
    });
  }

  /** Tries until it works, its error is final, or the time for retries is over. */
  async #persist<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const began = performance.now();
    clearTimeout(this.#idleTimer);
    this.#requests++;
    try {
      for (let attempts = 1; ; attempts++) {
        this.#checkUsable();
        const unpinned = this.#identity.hostKey === undefined;
        try {
          return await attempt();
        } catch (error) {
          if (!(error instanceof SallyportError)) throw error;
          // A person may decide about a host key for longer than the server holds a second port: it is pinned now, and nobody is asked again.
          const decided = unpinned && this.#identity.hostKey !== undefined && error.retry === 'now';
          if (decided && !this.#stopped) continue;
          const decision = decideRetry(error, {
            attempts,
            elapsedMs: performance.now() - began,
            retryForMs: this.#options.retryForMs ?? RETRY_FOR_MS_DEFAULT,
            random: randomBytes(4).readUInt32BE() / 2 ** 32,
          });
          if (decision.kind === 'fail' || this.#stopped) throw error;
          this.emit('retry', { error, attempt: attempts, delayMs: decision.delayMs });
          await this.#pause(decision.delayMs);
          if (this.#stopped) throw error;
        }
      }
    } finally {
      this.#requests--;
      this.#closeWhenIdle();
    }
  }

  get #stopped(): boolean {
    return this.#closed || this.#options.signal?.aborted === true;
  }

  #checkUsable(): void {
    if (this.#closed) throw new SallyportError('BAD_ARGUMENT', 'this Customer was closed');
    if (this.#options.signal?.aborted === true) throw interrupted();
  }

  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#options;
    try {
      await wait(delayMs, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /** A session for what is asked now. One that is not kept says CLOSE behind what was asked in the same turn of the event loop. */
  #sessionForRequest(): CustomerSession {
    const session = this.#currentSession();
    if (this.#options.idleMs === 0) {
      process.nextTick(() => {
        if (this.#session === session) this.#retire();
      });
    }
    return session;
  }

  #currentSession(): CustomerSession {
    if (this.#session?.accepting === true) return this.#session;
    this.#retire();
    const session = this.#openSession(this.#identity, {
      confirmHostKey: this.#options.confirmHostKey,
      onStep: (step, facts) => {
        if (this.listenerCount('step') > 0) this.emit('step', { step, detail: presentFacts(facts) });
      },
      onHostKeys: (keys) => this.#learnHostKeys(keys),
    });
    this.#session = session;
    const { signal } = this.#options;
    if (signal !== undefined) {
      const abort = (): void => session.abort(interrupted());
      signal.addEventListener('abort', abort, { once: true });
      session.ended.then(() => signal.removeEventListener('abort', abort));
    }
    return session;
  }

  /** Lets the session finish by itself: a new request opens another. */
  #retire(): void {
    clearTimeout(this.#idleTimer);
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    const closing = session.close();
    this.#closing.add(closing);
    closing.then(() => this.#closing.delete(closing));
  }

  #closeWhenIdle(): void {
    if (this.#requests > 0 || this.#session === undefined) return;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#retire(), this.#options.idleMs ?? IDLE_MS_DEFAULT);
  }

  #learnHostKeys(keys: HostKeys): void {
    const { hostKey, nextHostKey } = this.#identity;
    if (sameBytes(hostKey, keys.hostKey) && sameBytes(nextHostKey, keys.nextHostKey)) return;
    this.#identity = { ...this.#identity, ...keys };
    this.emit('hostKeys', keys);
    if (this.#remember === undefined) return;
    const remember = this.#remember;
    this.#remembering = this.#remembering
      .then(() => remember(keys))
      .catch((error: unknown) => {
        this.emit(
          'warning',
          `the host key could not be remembered: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
  }

  /** The receipt's key may be an earlier one: a transaction asked again after a rotation is answered with the receipt it had. */
  #settle(request: TransactionRequest, answer: Extract<TransactionAnswer, { kind: 'receipt' }>): Settlement {
    const id = hex(request.transactionId);
    const keyId = decodeReceipt(answer.receipt)?.keyId;
    const known = [answer.hostKey, ...(this.#identity.pastHostKeys ?? [])];
    const hostKey = known.find((key) => sameBytes(hostKeyId(key), keyId)) ?? answer.hostKey;
    const evidence: ReceiptEvidence = { customerId: this.customerId, ...request, receipt: answer.receipt, hostKey };
    const { receipt, checks } = verifyReceipt(evidence);
    const failed = checks.find(({ passed }) => !passed);
    if (failed !== undefined || receipt === undefined) {
      throw new SallyportError('BAD_RECEIPT', `the receipt of transaction ${id} is not valid: ${failed?.detail}`);
    }
    return {
      transactionId: id,
      outcome: receipt.outcome,
      sequence: receipt.sequence,
      committedTimeUs: receipt.committedTimeUs,
      resultContentType: receipt.resultContentType,
      result: receipt.result,
      evidence,
    };
  }
}

/** A fresh transaction id: 16 random bytes, hexadecimal. */
export function newTransactionId(): string {
  return randomBytes(TRANSACTION_ID_BYTES).toString('hex');
}

function transactionRequest({ contentType, body, transactionId }: Document): TransactionRequest {
  if (!isContentType(contentType)) {
    throw new SallyportError('BAD_ARGUMENT', 'a content type has 1 to 128 printable ASCII characters');
  }
  if (body.length > TRANSACTION_BODY_BYTES_MAX) {
    throw new SallyportError(
      'TOO_LARGE',
      `the document has ${body.length} bytes, and ${TRANSACTION_BODY_BYTES_MAX} fit a transaction`,
    );
  }
  return { transactionId: idBytes(transactionId ?? newTransactionId()), contentType, body };
}

function idBytes(id: Uint8Array | string): Uint8Array {
  if (typeof id !== 'string' && id.length === TRANSACTION_ID_BYTES) return id;
  if (typeof id === 'string' && /^[0-9a-fA-F]{32}$/.test(id)) return new Uint8Array(Buffer.from(id, 'hex'));
  throw new SallyportError('BAD_ARGUMENT', 'a transaction id has 16 bytes, or 32 hexadecimal digits');
}

function refusalError({ code, text, retryAfterMs }: Extract<TransactionAnswer, { kind: 'refusal' }>): SallyportError {
  return new SallyportError(
    code,
    text === '' ? `the server refused the transaction (${code})` : `the server refused the transaction: ${text}`,
    {
      ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
    },
  );
}

function interrupted(): SallyportError {
  return new SallyportError('UNREACHABLE', 'interrupted before the server answered');
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
