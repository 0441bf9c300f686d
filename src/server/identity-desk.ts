import { SallyportError } from '../errors.ts';
import { type CustomerRecord, type Mac, type PepperRing, verifyIdentity } from '../ledger/identity.ts';
import type { LedgerService } from '../ledger/service.ts';
import type { Auth } from '../wire/auth.ts';

interface Waiting {
  readonly presented: Auth;
  readonly resolve: (verified: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Compares what customers show of themselves with what enrolment stored. Those that arrive while a look-up is under way travel together
 * in the next one, so the ledger's thread is asked once for many. An unknown customer costs the same look-ups and the same work as a known
 * one: its place in the answer is taken by another customer's record, which `verifyIdentity` refuses by its id after all else is compared.
 */
export class IdentityDesk {
  readonly #ledger: Pick<LedgerService, 'findIdentities'>;
  readonly #peppers: PepperRing;
  readonly #mac: Mac;
  #waiting: Waiting[] = [];
  #lookingUp = false;

  constructor(ledger: Pick<LedgerService, 'findIdentities'>, peppers: PepperRing, mac: Mac) {
    this.#ledger = ledger;
    this.#peppers = peppers;
    this.#mac = mac;
  }

  /** Whether this is an active customer. Wipes the credential. Rejects as LedgerService does. */
  async verify(presented: Auth): Promise<boolean> {
    try {
      return await new Promise<boolean>((resolve, reject) => {
        this.#waiting.push({ presented, resolve, reject });
        if (!this.#lookingUp) void this.#lookUp();
      });
    } finally {
      presented.credential.fill(0);
    }
  }

  async #lookUp(): Promise<void> {
    this.#lookingUp = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const records = await this.#ledger.findIdentities(batch.map(({ presented }) => presented.customerId));
        for (const [index, { presented, resolve }] of batch.entries())
          resolve(this.#compare(records[index], presented));
      } catch (error) {
        const failure =
          error instanceof SallyportError
            ? error
            : new SallyportError('INTERNAL', 'customers could not be looked up', { cause: error });
        for (const { reject } of batch) reject(failure);
      }
    }
    this.#lookingUp = false;
  }

  #compare(record: CustomerRecord | undefined, presented: Auth): boolean {
    return verifyIdentity(this.#peppers, record, presented, this.#mac);
  }
}
