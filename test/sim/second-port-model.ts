import { makeArrivals } from '../../src/crypto/arrival-keys.ts';
import { SallyportError } from '../../src/errors.ts';
import { answerQuery } from '../../src/ledger/queries.ts';
import type { PortLease } from '../../src/ports/port-lease.ts';
import type { IdentityDesk } from '../../src/server/identity-desk.ts';
import type { Claim } from '../../src/server/lease-registry.ts';
import type { SecondPortMachine } from '../../src/session/second-port.ts';
import type {
  QueryResult,
  SecondPortEffect,
  SecondPortEvent,
  SecondPortState,
  TransactionResult,
} from '../../src/session/second-port-interface.ts';
import type { End } from './link.ts';
import type { ServerModel } from './server-model.ts';
import { Visit } from './visit.ts';

/** docs/OPERATIONS.md's defaults. */
const DEADLINES_MS = { customerKey: 5_000, auth: 5_000, idle: 30_000, session: 120_000, linger: 2_000 };

interface SecondVisit {
  readonly visit: Visit<SecondPortState, SecondPortEvent, SecondPortEffect>;
  readonly lease: PortLease;
  claimed: Claim | undefined;
}

/** The second ports of one life of the server: effects carried out as second-port-desk.ts does. */
export class SecondPortModel {
  readonly #server: ServerModel;
  readonly #machine: SecondPortMachine;
  readonly #identities: IdentityDesk;
  readonly #visits = new Set<SecondVisit>();
  readonly #atLease = new Map<PortLease, Set<SecondVisit>>();

  constructor(server: ServerModel, machine: SecondPortMachine, identities: IdentityDesk) {
    this.#server = server;
    this.#machine = machine;
    this.#identities = identities;
  }

  get open(): number {
    return this.#visits.size;
  }

  accept(end: End, lease: PortLease): void {
    const { world, auditor } = this.#server.parts;
    const visit = new Visit<SecondPortState, SecondPortEvent, SecondPortEffect>({
      world,
      end,
      machine: this.#machine,
      deadlinesMs: DEADLINES_MS,
      perform: (effect) => this.#perform(second, effect),
      stepped: (state) => auditor.serving(state),
      writeEvents: { blocked: { kind: 'writeBlocked' }, drained: { kind: 'writeDrained' } },
    });
    const second: SecondVisit = { visit, lease, claimed: undefined };
    // Whoever loses its place to this one is reset; of them none may be the one that claimed.
    lease.admit(end, () => {
      auditor.evicted(second.claimed?.id);
      end.resetAndDestroy();
    });
    this.#visits.add(second);
    this.#neighbours(lease).add(second);
    visit.dispatch({ kind: 'accepted' });
  }

  shutdown(retryAfterMs: number): void {
    for (const { visit } of [...this.#visits]) visit.dispatch({ kind: 'shutdown', retryAfterMs });
  }

  vanish(withoutWord: boolean): void {
    for (const { visit } of this.#visits) visit.vanish(withoutWord);
  }

  #perform(second: SecondVisit, effect: SecondPortEffect): void {
    const { leases, parts } = this.#server;
    const { auditor, bugs } = parts;
    const at = { lease: second.lease, port: second.lease.port };
    switch (effect.kind) {
      case 'findLease':
        second.visit.dispatch({ kind: 'leaseFound', terms: leases.find(effect.sessionId, at) });
        return;
      case 'takeLease':
        this.#takeLease(second, effect.sessionId);
        return;
      case 'makeKeys':
        this.#makeKeys(second, effect);
        return;
      case 'verifyIdentity':
        void this.#verifyIdentity(second, effect);
        return;
      case 'submit':
        void this.#submit(effect).then((result) =>
          this.#answer(second, { kind: 'submitted', ref: effect.ref, result }),
        );
        return;
      case 'query':
        void this.#query(effect).then((result) => this.#answer(second, { kind: 'queried', ref: effect.ref, result }));
        return;
      case 'ended': {
        this.#visits.delete(second);
        this.#neighbours(second.lease).delete(second);
        auditor.expect(second.visit.ends === 1, () => `a visit at a second port ended ${second.visit.ends} times`);
        parts.world.count(`second port: ${effect.end.kind}`);
        const { claimed } = second;
        second.claimed = undefined;
        if (claimed === undefined) return;
        auditor.sessionEnded(claimed.id);
        if (bugs.forgetsLeases !== true || effect.end.kind !== 'lost') leases.close(claimed);
        return;
      }
      default:
        return;
    }
  }

  /** What a promise of the ledger brings: to nobody, when the server is dead by now. */
  #answer(second: SecondVisit, event: SecondPortEvent): void {
    if (this.#server.gone) return;
    try {
      second.visit.dispatch(event);
    } catch (error) {
      this.#server.parts.auditor.violated(`threw: ${(error as Error).stack}`);
    }
  }

  #takeLease(second: SecondVisit, sessionId: Uint8Array): void {
    const { leases, parts } = this.#server;
    const taken = leases.take(sessionId, { lease: second.lease, port: second.lease.port });
    if (taken !== undefined) {
      second.claimed = taken.claim;
      parts.auditor.claimed(taken.claim.id, second.lease.port, second.visit.end);
      if (parts.bugs.evictsTheClaimed !== true) second.lease.claimedBy(second.visit.end);
      for (const other of [...this.#neighbours(second.lease)])
        if (other !== second) other.visit.dispatch({ kind: 'displaced' });
    }
    second.visit.dispatch({ kind: 'leaseTaken', session: taken?.session });
  }

  #makeKeys(second: SecondVisit, { job }: Extract<SecondPortEffect, { kind: 'makeKeys' }>): void {
    const { crypto, auditor, bugs } = this.#server.parts;
    const { claimed } = second;
    this.#server.later(this.#server.poolMs(), () => {
      const made = makeArrivals(crypto, [job])[0]!;
      if (!made.ok) {
        second.visit.dispatch({ kind: 'keysRefused', code: made.code, retryAfterMs: 0 });
        return;
      }
      const { keys } = made;
      this.#server.secret(keys.customer.key, keys.server.key, keys.serverFinished);
      if (bugs.spoilsKeys === true) keys.server.key[0]! ^= 1;
      if (claimed !== undefined) auditor.keysMade('server', claimed.id, keys);
      second.visit.dispatch({ kind: 'keysMade', keys });
    });
  }

  async #verifyIdentity(
    second: SecondVisit,
    { presented }: Extract<SecondPortEffect, { kind: 'verifyIdentity' }>,
  ): Promise<void> {
    const { world } = this.#server.parts;
    world.touchPromises();
    try {
      const verified = await this.#identities.verify(presented);
      if (this.#server.gone) return;
      if (verified) this.#server.parts.auditor.verified(presented.customerId);
      if (verified && second.claimed !== undefined) this.#server.leases.verified(second.claimed);
      this.#answer(second, { kind: 'identity', verified });
    } catch (error) {
      const { code, retryAfterMs } = this.#refusalOf(error);
      this.#answer(second, { kind: 'identityUnknown', code, retryAfterMs });
    }
  }

  async #submit(asked: Extract<SecondPortEffect, { kind: 'submit' }>): Promise<TransactionResult> {
    const { ledger, world } = this.#server.parts;
    world.touchPromises();
    const { customerId, transactionId, contentType, body } = asked;
    try {
      const result = await ledger.submit({ customerId, transactionId, contentType, body });
      if (result.kind === 'receipt') {
        if (result.replayed) world.count('replays');
        return { kind: 'receipt', receipt: result.receipt };
      }
      return { kind: 'refusal', code: result.code, retryAfterMs: 0, text: result.text };
    } catch (error) {
      const { code, retryAfterMs } = this.#refusalOf(error);
      return { kind: 'refusal', code, retryAfterMs, text: code === 'BUSY' ? 'later' : 'the outcome is not known' };
    }
  }

  async #query(asked: Extract<SecondPortEffect, { kind: 'query' }>): Promise<QueryResult> {
    const { ledger, world } = this.#server.parts;
    world.touchPromises();
    const { customerId, contentType, body } = asked;
    try {
      const answer = await answerQuery(ledger, customerId, contentType, body);
      if (answer.kind === 'answer') return { status: undefined, contentType: answer.contentType, body: answer.body };
      return { status: 'TRANSACTION_MALFORMED', contentType, body: new Uint8Array(0) };
    } catch (error) {
      return { status: this.#refusalOf(error).code, contentType, body: new Uint8Array(0) };
    }
  }

  /** As `refusalOf` of first-port-desk.ts; anything but an error of the product's own table is a bug. */
  #refusalOf(error: unknown): { readonly code: 'BUSY' | 'INTERNAL'; readonly retryAfterMs: number } {
    if (!(error instanceof SallyportError)) this.#server.parts.auditor.violated(`threw: ${(error as Error).stack}`);
    if (error instanceof SallyportError && error.code === 'BUSY')
      return { code: 'BUSY', retryAfterMs: error.retryAfterMs ?? 0 };
    return { code: 'INTERNAL', retryAfterMs: 0 };
  }

  #neighbours(lease: PortLease): Set<SecondVisit> {
    let neighbours = this.#atLease.get(lease);
    if (neighbours === undefined) {
      neighbours = new Set();
      this.#atLease.set(lease, neighbours);
    }
    return neighbours;
  }
}
