import type { Socket } from 'node:net';
import type { LedgerClient } from '../ledger/ledger-client.ts';
import { answerQuery } from '../ledger/queries.ts';
import type { CryptoPool } from '../pool/crypto-pool.ts';
import type { PortLease } from '../ports/port-lease.ts';
import type { SecondPortMachine } from '../session/second-port.ts';
import type {
  QueryResult,
  SecondPortDeadline,
  SecondPortEffect,
  SecondPortEvent,
  SecondPortState,
  TransactionResult,
} from '../session/second-port-interface.ts';
import { Connection } from './connection.ts';
import { refusalOf } from './first-port-desk.ts';
import type { IdentityDesk } from './identity-desk.ts';
import type { Claim, LeaseRegistry } from './lease-registry.ts';
import { OpenSet } from './open-set.ts';
import { BROKEN_END, type Report, reportEnd } from './session-report.ts';
import type { ServerConfiguration } from './settings.ts';

export interface SecondPortDeskParts {
  readonly configuration: ServerConfiguration;
  readonly machine: SecondPortMachine;
  readonly leases: LeaseRegistry;
  readonly pool: CryptoPool;
  readonly ledger: LedgerClient;
  readonly identities: IdentityDesk;
  readonly report: Report;
}

type SecondPortConnection = Connection<SecondPortState, SecondPortEvent, SecondPortEffect, SecondPortDeadline>;
type Performed = Parameters<
  ConstructorParameters<
    typeof Connection<SecondPortState, SecondPortEvent, SecondPortEffect, SecondPortDeadline>
  >[0]['perform']
>[0];

/** One visit at a second port: what belongs to it besides its socket. */
interface Visit {
  readonly number: number;
  readonly startedMs: number;
  readonly address: string | undefined;
  readonly at: { readonly lease: PortLease | undefined; readonly port: number };
  readonly connection: SecondPortConnection;
  /** The session this visit has claimed, until it is closed. */
  claimed: Claim | undefined;
  session: string | undefined;
  customer: string | undefined;
  transactions: number;
  queries: number;
}

/** Nothing was stored for certain, or it cannot be told: the customer asks again with the same id and learns which. */
const UNAVAILABLE_TEXT =
  'The ledger could not answer in time; whether this took effect is unknown. Ask again with the same id.';

/** Serves the second ports: what their state machine asks for is done here. */
export class SecondPortDesk {
  readonly #parts: SecondPortDeskParts;
  readonly #open = new OpenSet<SecondPortConnection>();
  /** Connections by the exclusive lease at whose port they wait, so that a right claim can displace the others. */
  readonly #atLease = new WeakMap<PortLease, Set<SecondPortConnection>>();

  constructor(parts: SecondPortDeskParts) {
    this.#parts = parts;
  }

  accept(socket: Socket, lease: PortLease | undefined, number: number): void {
    const { configuration, machine } = this.#parts;
    const connection: SecondPortConnection = new Connection({
      socket,
      machine,
      deadlinesMs: {
        customerKey: configuration['customer-key-timeout-ms'],
        auth: configuration['auth-timeout-ms'],
        idle: configuration['idle-timeout-ms'],
        session: configuration['session-timeout-ms'],
        linger: configuration['linger-timeout-ms'],
      },
      perform: (effect: Performed) => this.#perform(visit, effect),
      onBroken: (error) => this.#parts.report.failed('invariant-broken', error),
      abandon: () => this.#perform(visit, { kind: 'ended', end: BROKEN_END }),
      writeEvents: { blocked: { kind: 'writeBlocked' }, drained: { kind: 'writeDrained' } },
    });
    const visit: Visit = {
      number,
      startedMs: performance.now(),
      address: socket.remoteAddress,
      at: { lease, port: lease?.port ?? socket.localPort ?? 0 },
      connection,
      claimed: undefined,
      session: undefined,
      customer: undefined,
      transactions: 0,
      queries: 0,
    };
    this.#open.add(connection);
    if (lease !== undefined) this.#neighbours(lease).add(connection);
    connection.dispatch({ kind: 'accepted' });
  }

  idle(): Promise<void> {
    return this.#open.idle();
  }

  shutdown(retryAfterMs: number): void {
    for (const connection of this.#open.all()) connection.dispatch({ kind: 'shutdown', retryAfterMs });
  }

  destroy(): void {
    for (const connection of this.#open.all()) connection.socket.destroy();
  }

  #perform(visit: Visit, effect: Performed): void {
    const { leases, report } = this.#parts;
    switch (effect.kind) {
      case 'step':
        report.step({ connection: visit.number, session: visit.session, step: effect.step, detail: effect.detail });
        return;
      case 'findLease':
        visit.connection.dispatch({ kind: 'leaseFound', terms: leases.find(effect.sessionId, visit.at) });
        return;
      case 'takeLease':
        this.#takeLease(visit, effect.sessionId);
        return;
      case 'makeKeys':
        void this.#makeKeys(visit, effect);
        return;
      case 'verifyIdentity':
        void this.#verifyIdentity(visit, effect);
        return;
      case 'submit':
        visit.transactions += 1;
        void this.#submit(effect).then((result) =>
          visit.connection.dispatch({ kind: 'submitted', ref: effect.ref, result }),
        );
        return;
      case 'query':
        visit.queries += 1;
        void this.#query(effect).then((result) =>
          visit.connection.dispatch({ kind: 'queried', ref: effect.ref, result }),
        );
        return;
      case 'ended':
        this.#open.remove(visit.connection);
        if (visit.at.lease !== undefined) this.#neighbours(visit.at.lease).delete(visit.connection);
        if (visit.claimed !== undefined) leases.close(visit.claimed);
        visit.claimed = undefined;
        if (visit.session !== undefined) report.took('session', visit.startedMs);
        reportEnd(report, effect.end, { ...visit, connection: visit.number, port: 'second' });
        return;
    }
  }

  #takeLease(visit: Visit, sessionId: Uint8Array): void {
    const taken = this.#parts.leases.take(sessionId, visit.at);
    if (taken !== undefined) {
      visit.claimed = taken.claim;
      visit.session = taken.claim.id;
      if (visit.at.lease !== undefined) {
        visit.at.lease.claimedBy(visit.connection.socket);
        for (const other of [...this.#neighbours(visit.at.lease)])
          if (other !== visit.connection) other.dispatch({ kind: 'displaced' });
      }
    }
    visit.connection.dispatch({ kind: 'leaseTaken', session: taken?.session });
  }

  async #makeKeys(visit: Visit, { job }: Extract<SecondPortEffect, { kind: 'makeKeys' }>): Promise<void> {
    const startedMs = performance.now();
    try {
      const keys = await this.#parts.pool.makeKeys(job);
      this.#parts.report.took('key-exchange', startedMs);
      if (keys === undefined)
        visit.connection.dispatch({ kind: 'keysRefused', code: 'KEY_EXCHANGE_FAILED', retryAfterMs: 0 });
      else visit.connection.dispatch({ kind: 'keysMade', keys });
    } catch (error) {
      const { code, retryAfterMs } = refusalOf(error);
      if (code === 'INTERNAL') this.#parts.report.failed('keys-failed', error);
      visit.connection.dispatch({ kind: 'keysRefused', code, retryAfterMs });
    }
  }

  async #verifyIdentity(
    visit: Visit,
    { presented }: Extract<SecondPortEffect, { kind: 'verifyIdentity' }>,
  ): Promise<void> {
    const startedMs = performance.now();
    try {
      const verified = await this.#parts.identities.verify(presented);
      this.#parts.report.took('identity', startedMs);
      if (verified) visit.customer = presented.customerId;
      // It may be over by now.
      if (verified && visit.claimed !== undefined) this.#parts.leases.verified(visit.claimed);
      visit.connection.dispatch({ kind: 'identity', verified });
    } catch (error) {
      const refusal = refusalOf(error);
      const code = refusal.code === 'BUSY' ? 'BUSY' : 'INTERNAL';
      if (code === 'INTERNAL') this.#parts.report.failed('identity-failed', error);
      visit.connection.dispatch({ kind: 'identityUnknown', code, retryAfterMs: refusal.retryAfterMs });
    }
  }

  async #submit(asked: Extract<SecondPortEffect, { kind: 'submit' }>): Promise<TransactionResult> {
    const { customerId, transactionId, contentType, body } = asked;
    const startedMs = performance.now();
    try {
      const [result] = await this.#parts.ledger.submit([{ customerId, transactionId, contentType, body }]);
      this.#parts.report.took('commit', startedMs);
      if (result!.kind === 'receipt') return { kind: 'receipt', receipt: result!.receipt };
      return { kind: 'refusal', code: result!.code, retryAfterMs: 0, text: result!.text };
    } catch (error) {
      const { code, retryAfterMs } = refusalOf(error);
      if (code === 'BUSY')
        return {
          kind: 'refusal',
          code,
          retryAfterMs,
          text: 'The ledger has no room for more at this moment; nothing was done.',
        };
      this.#parts.report.failed('submit-failed', error);
      return { kind: 'refusal', code: 'INTERNAL', retryAfterMs: 0, text: UNAVAILABLE_TEXT };
    }
  }

  async #query(asked: Extract<SecondPortEffect, { kind: 'query' }>): Promise<QueryResult> {
    const { customerId, contentType, body } = asked;
    try {
      const answer = await answerQuery(this.#parts.ledger, customerId, contentType, body);
      if (answer.kind === 'answer') return { status: undefined, contentType: answer.contentType, body: answer.body };
      return { status: 'TRANSACTION_MALFORMED', contentType, body: new Uint8Array(0) };
    } catch (error) {
      const { code } = refusalOf(error);
      if (code !== 'BUSY') this.#parts.report.failed('query-failed', error);
      return { status: code, contentType, body: new Uint8Array(0) };
    }
  }

  #neighbours(lease: PortLease): Set<SecondPortConnection> {
    let neighbours = this.#atLease.get(lease);
    if (neighbours === undefined) {
      neighbours = new Set();
      this.#atLease.set(lease, neighbours);
    }
    return neighbours;
  }
}
