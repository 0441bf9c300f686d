import { hash } from 'node:crypto';
import type { SessionKeys } from '../../src/crypto/key-schedule.ts';
import { TRANSACTION_BODY_BYTES_MAX } from '../../src/limits.ts';
import { UNANSWERED_BYTES_MAX, UNANSWERED_MAX } from '../../src/session/request-limits.ts';
import type { SecondPortState } from '../../src/session/second-port-interface.ts';
import { decodeReceipt, transactionHashInput } from '../../src/wire/receipt.ts';
import { CLAIM_BEGINS_AT, CLAIM_ENDS_AT, type End } from './link.ts';
import type { Signatures } from './signatures.ts';
import type { World } from './world.ts';

/** What customers asked for, by customer and transaction id. */
export interface Wish {
  readonly customerId: string;
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** Violations beyond this say no more than these do. */
const VIOLATIONS_MAX = 20;
/** What may wait for one peer: the window, what a machine still owes when it learns that the window is full, and one write. */
export const WAITING_BYTES_MAX = 1_048_576;

/**
 * Watches a fleet from outside: it hears what happens, keeps books of its own, and believes nobody. What it finds is a violation of what the
 * system promises, whatever the weather.
 */
export class Auditor {
  readonly violations: string[] = [];
  /** The receipts that customers hold, by customer and transaction. */
  readonly receipts = new Map<string, Uint8Array>();
  readonly wishes = new Map<string, Wish>();
  readonly #world: World;
  readonly #signatures: Signatures;
  /** Who has a port, from its OFFER on; and whose session lives there. */
  readonly #sessionAt = new Map<number, string>();
  readonly #living = new Map<string, number>();
  readonly #claimSecrets = new Set<string>();
  readonly #serverKeys = new Map<string, string>();
  readonly #customerKeys = new Map<string, string>();
  readonly #allKeys = new Set<string>();
  readonly #verifications = new Map<string, number>();
  readonly #secrets: Uint8Array[] = [];
  #ends: End[] = [];

  constructor(world: World, signatures: Signatures) {
    this.#world = world;
    this.#signatures = signatures;
  }

  violated(what: string): void {
    this.#world.tell(() => `VIOLATED: ${what}`);
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(what);
    // What comes after the first is its consequence.
    this.#world.halt();
  }

  expect(holds: boolean, what: () => string): void {
    if (!holds) this.violated(what());
  }

  // Ports and sessions.

  offered(session: string, port: number): void {
    const other = this.#sessionAt.get(port);
    this.expect(other === undefined, () => `port ${port} is offered to ${session} while ${other} has it`);
    this.#sessionAt.set(port, session);
  }

  /** A customer made this secret: whoever claims has to know one, from the customer or from the wire. */
  claimSecret(secret: Uint8Array): void {
    this.#claimSecrets.add(textOf(secret));
  }

  claimed(session: string, port: number, by: End): void {
    const secret = textOf(by.beginning.subarray(CLAIM_BEGINS_AT, CLAIM_ENDS_AT));
    this.expect(this.#claimSecrets.has(secret), () => `${session} is claimed by somebody without its secret`);
    this.expect(
      this.#sessionAt.get(port) === session,
      () => `${session} is claimed at port ${port}, which it does not have`,
    );
    this.expect(!this.#living.has(session), () => `${session} is claimed twice`);
    this.#living.set(session, port);
  }

  sessionEnded(session: string): void {
    this.#living.delete(session);
  }

  released(port: number): void {
    const session = this.#sessionAt.get(port);
    this.expect(
      session === undefined || !this.#living.has(session),
      () => `port ${port} is free while ${session} lives there`,
    );
    this.#sessionAt.delete(port);
  }

  /** A server is gone with all it had. */
  serverVanished(): void {
    this.#sessionAt.clear();
    this.#living.clear();
  }

  evicted(session: string | undefined): void {
    this.#world.count('candidate displaced');
    this.expect(session === undefined, () => `the socket of ${session} gave its place to a stranger after its claim`);
  }

  // Keys and secrets.

  keysMade(side: 'server' | 'customer', id: string, keys: SessionKeys): void {
    const spelled = [keys.customer.key, keys.customer.iv, keys.server.key, keys.server.iv, keys.serverFinished]
      .map(textOf)
      .join(' ');
    const [mine, theirs] =
      side === 'server' ? [this.#serverKeys, this.#customerKeys] : [this.#customerKeys, this.#serverKeys];
    this.expect(!mine.has(id), () => `the ${side} made keys twice for ${id}`);
    mine.set(id, spelled);
    const others = theirs.get(id);
    if (others === undefined) {
      this.expect(!this.#allKeys.has(spelled), () => `two sessions have the same keys (${id})`);
      this.#allKeys.add(spelled);
    } else {
      this.#world.count('keys compared');
      this.expect(others === spelled, () => `server and customer have different keys in ${id}`);
    }
  }

  /** The server takes somebody for this customer. */
  verified(customerId: string): void {
    this.#verifications.set(customerId, (this.#verifications.get(customerId) ?? 0) + 1);
  }

  /** A customer is told that it is who it says; `genuine`: that is so. */
  ready(customerId: string, genuine: boolean): void {
    this.expect(genuine, () => `somebody else was taken for ${customerId}`);
    this.expect((this.#verifications.get(customerId) ?? 0) > 0, () => `${customerId} is ready, and nobody verified it`);
  }

  /** Every buffer that holds a secret: zero when its owner has ended. */
  secret(...buffers: readonly Uint8Array[]): void {
    this.#secrets.push(...buffers);
  }

  // Connections and buffers.

  connected(ends: readonly End[]): void {
    this.#ends.push(...ends);
    if (this.#ends.length > 512) this.#ends = this.#ends.filter((end) => end.alive || !this.#checkEnd(end));
  }

  serving(state: SecondPortState): void {
    if (!('unanswered' in state)) return;
    const { unanswered, unansweredBytes } = state;
    this.expect(unanswered.length <= UNANSWERED_MAX, () => `a session has ${unanswered.length} requests unanswered`);
    this.expect(
      unansweredBytes <= UNANSWERED_BYTES_MAX + TRANSACTION_BODY_BYTES_MAX,
      () => `a session has ${unansweredBytes} bytes of documents unanswered`,
    );
  }

  #checkEnd(end: End): boolean {
    this.expect(end.mostBytes <= WAITING_BYTES_MAX, () => `${end.mostBytes} bytes waited for one reader`);
    return true;
  }

  // Receipts.

  /** A customer holds this receipt for what it wished. */
  receipted(wish: Wish, bytes: Uint8Array): void {
    const key = keyOf(wish.customerId, wish.transactionId);
    const receipt = decodeReceipt(bytes);
    const earlier = this.receipts.get(key);
    if (earlier !== undefined) {
      this.#world.count('receipts replayed');
      this.expect(Buffer.compare(earlier, bytes) === 0, () => `transaction ${key} has two receipts`);
      return;
    }
    this.receipts.set(key, Uint8Array.from(bytes));
    this.expect(
      this.#signatures.isReceipt(bytes, wish.customerId),
      () => `the receipt of ${key} is not signed for its customer`,
    );
    const digest = hash('sha256', transactionHashInput(wish.contentType, wish.body), 'buffer');
    this.expect(
      receipt !== undefined && Buffer.compare(receipt.bodyHash, digest) === 0,
      () => `the receipt of ${key} is of another document`,
    );
  }

  wished(wish: Wish): void {
    this.wishes.set(keyOf(wish.customerId, wish.transactionId), wish);
  }

  /** When everything has come to rest. */
  finish(): void {
    for (const end of this.#ends) {
      this.#checkEnd(end);
      this.expect(!end.alive, () => 'a connection has not ended');
    }
    const left = this.#secrets.filter((secret) => secret.some((byte) => byte !== 0)).length;
    this.expect(left === 0, () => `${left} secrets are not wiped`);
    this.expect(this.#living.size === 0, () => `${this.#living.size} sessions have not ended`);
    this.expect(this.#sessionAt.size === 0, () => `${this.#sessionAt.size} ports are still somebody's`);
  }
}

export function keyOf(customerId: string, transactionId: Uint8Array): string {
  return `${customerId} ${textOf(transactionId)}`;
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
