/**
 * Speaks to a server as customers do: every operation is a session of the customer's own state machine over the WebAssembly core, with
 * every check that a customer makes and every receipt verified. Nothing is left out to make the load cheaper.
 */

import { loadCrypto } from '../crypto/index.ts';
import type { CustomerIdentity } from '../customer/customer-identity.ts';
import type { CustomerSession, TransactionAnswer } from '../customer/customer-session.ts';
import { verifyReceipt } from '../customer/receipt-file.ts';
import { openSocketSession } from '../customer/session-client.ts';
import { encodeTransfer, TRANSFER_TYPE } from '../customer/transfer.ts';
import { SallyportError } from '../errors.ts';
import { TRANSACTION_ID_BYTES } from '../limits.ts';
import type { Clock } from './clock.ts';
import type { LoadDriver } from './driver-interface.ts';
import type { OperationEnd, OperationStart } from './scheduler.ts';
import { SessionTimes } from './session-times.ts';
import { LOCAL_ERROR_CODES } from './validity.ts';
import { type Workload, workOf } from './workload.ts';

/** One of the customers that take part, and what its payments are. */
export interface LoadCustomer {
  readonly identity: CustomerIdentity;
  readonly from: string;
  readonly to: string;
}

export interface DriverSettings {
  readonly customers: readonly LoadCustomer[];
  readonly workload: Workload;
  readonly seed: number;
  /** Of every payment: a decimal string of the major unit. */
  readonly amount: string;
  readonly currency: string;
  /** 8 bytes that begin the ids of this run's transactions. */
  readonly runId: Uint8Array;
  /** Addresses of this machine to connect from, in turns; none: as the system chooses. */
  readonly sources: readonly string[];
}

/** A receipt that says the payment was refused: the customer's mistake or an empty account, never the server's speed. */
export const REFUSED_BY_LEDGER = 'REFUSED_BY_LEDGER';

export async function openDriver(given: unknown, clock: Clock): Promise<LoadDriver> {
  const settings = given as DriverSettings;
  // The tables are made before the first customer waits for them.
  const groups = new Set(settings.customers.flatMap((customer) => customer.identity.policy.groups));
  (await loadCrypto()).warmUp([...groups]);
  return new SessionDriver(settings, clock);
}

class SessionDriver implements LoadDriver {
  readonly #settings: DriverSettings;
  readonly #clock: Clock;
  /** Ends of waiting of the sessions that are held. */
  readonly #holds = new Set<() => void>();
  readonly #acknowledged: Uint8Array[] = [];
  #sources = 0;
  #stopped = false;

  constructor(settings: DriverSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get held(): number {
    return this.#holds.size;
  }

  readonly operate = async (start: OperationStart): Promise<OperationEnd> => {
    const { customers, workload, seed } = this.#settings;
    const customer = customers[start.index % customers.length]!;
    const work = workOf(workload, seed, start.index);
    const times = new SessionTimes(this.#clock, start.startNs);
    const session = this.#open(customer.identity, times);
    const counted = { payments: 0, endNs: 0 };
    let error: string | undefined;
    try {
      // The first payment travels with the key exchange, as a customer's does.
      const ahead = work.kind === 'payments' ? this.#pay(session, customer, start.index, 0, times) : undefined;
      // When the session fails, so does this; `ready` says it first, and once is enough.
      ahead?.catch(() => undefined);
      await session.ready;
      counted.endNs = this.#clock.nowNs();
      if (work.kind === 'hold') {
        await this.#hold(work.seconds);
        await this.#pay(session, customer, start.index, 0, times);
        counted.payments += 1;
      } else if (work.kind === 'payments') {
        await ahead;
        counted.payments += 1;
        for (; counted.payments < work.payments; counted.payments += 1) {
          await this.#pay(session, customer, start.index, counted.payments, times);
        }
        counted.endNs = this.#clock.nowNs();
      }
      await session.close();
    } catch (failure) {
      error = codeOf(failure);
      counted.endNs = this.#clock.nowNs();
      await session.close();
    }
    return { ...counted, error, phases: times.phases() };
  };

  stop(): void {
    this.#stopped = true;
    for (const end of this.#holds) end();
  }

  async close(): Promise<Uint8Array<ArrayBuffer>> {
    const ids = new Uint8Array(this.#acknowledged.length * TRANSACTION_ID_BYTES);
    this.#acknowledged.forEach((id, index) => {
      ids.set(id, index * TRANSACTION_ID_BYTES);
    });
    return ids;
  }

  #open(identity: CustomerIdentity, times: SessionTimes): CustomerSession {
    const { sources } = this.#settings;
    const localAddress = sources.length === 0 ? undefined : sources[this.#sources++ % sources.length]!;
    return openSocketSession(identity, {
      confirmHostKey: undefined,
      onStep: (step) => times.take(step),
      onHostKeys: () => {},
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  }

  /** One payment until its receipt is verified. Throws a SallyportError, or an error with a code of this file. */
  async #pay(
    session: CustomerSession,
    { identity, from, to }: LoadCustomer,
    operation: number,
    payment: number,
    times: SessionTimes,
  ): Promise<void> {
    const { amount, currency } = this.#settings;
    const transactionId = this.#transactionId(operation, payment);
    const body = encodeTransfer({ from, to, amount, currency });
    const sentNs = this.#clock.nowNs();
    const answer = await session.transact({ transactionId, contentType: TRANSFER_TYPE, body });
    this.#acknowledge(answer, { identity, transactionId, body });
    times.committed(sentNs);
  }

  #acknowledge(
    answer: TransactionAnswer,
    {
      identity,
      transactionId,
      body,
    }: Pick<LoadCustomer, 'identity'> & Readonly<Record<'transactionId' | 'body', Uint8Array>>,
  ): void {
    if (answer.kind === 'unanswered') throw answer.error;
    if (answer.kind === 'refusal') throw new SallyportError(answer.code, answer.text);
    const { valid, receipt } = verifyReceipt(
      {
        customerId: identity.customerId,
        transactionId,
        contentType: TRANSFER_TYPE,
        body,
        receipt: answer.receipt,
        hostKey: answer.hostKey,
      },
      identity.hostKey,
    );
    if (!valid) throw new SallyportError('BAD_RECEIPT', 'a receipt does not verify');
    this.#acknowledged.push(transactionId);
    if (receipt?.outcome !== 'processed') throw new RefusedByLedger();
  }

  /** Unique to the run, the operation and the payment: what the ledger holds of this run can be told from all else. */
  #transactionId(operation: number, payment: number): Uint8Array {
    const id = new Uint8Array(TRANSACTION_ID_BYTES);
    id.set(this.#settings.runId);
    const view = new DataView(id.buffer);
    view.setUint32(8, operation);
    view.setUint32(12, payment);
    return id;
  }

  #hold(seconds: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#holds.delete(end);
        resolve();
      };
      const cancel = this.#clock.at(this.#clock.nowNs() + seconds * 1e9, end);
      this.#holds.add(end);
    });
  }
}

class RefusedByLedger extends Error {}

/** The error table's code; or the operating system's, when this machine and not the server was the cause. */
function codeOf(failure: unknown): string {
  if (failure instanceof RefusedByLedger) return REFUSED_BY_LEDGER;
  if (!(failure instanceof SallyportError)) throw failure;
  const { cause } = failure;
  const system = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  return system !== undefined && LOCAL_ERROR_CODES.has(system) ? system : failure.code;
}
