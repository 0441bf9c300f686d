/** The server's half of the key exchange before the second port: Ys, ML-KEM and the signature of an OFFER, many at a time. */

import type { KeyObject } from 'node:crypto';
import { assert, SallyportError } from '../errors.ts';
import { byGroup } from './batch-by-group.ts';
import type { Exponentiation } from './core-modexp.ts';
import type { GroupName } from './groups.ts';
import { signOffers } from './identity.ts';
import { type Encapsulated, encapsulateTo } from './kem.ts';

/** What a worker needs to complete one OFFER. Nothing in it is secret. */
export interface OfferJob {
  readonly group: GroupName;
  /** The customer's ML-KEM-768 encapsulation key, 1184 bytes; empty when kem = none. */
  readonly kemKey: Uint8Array;
  readonly helloFrame: Uint8Array;
  /** The body of OFFER up to its signature, with zeros where Ys and kem_ciphertext go. */
  readonly unsignedOffer: Uint8Array;
  readonly publicValueOffset: number;
  readonly kemCiphertextOffset: number;
}

export type OfferKeys =
  | {
      readonly ok: true;
      /** Complete. */
      readonly unsignedOffer: Uint8Array;
      /** Over it, in answer to its HELLO. */
      readonly signature: Uint8Array;
      /** Ys, |p| bytes. */
      readonly publicValue: Uint8Array;
      /** K, 32 bytes, or empty. Secret. */
      readonly kemSecret: Uint8Array;
    }
  /** The encapsulation key fails FIPS 203's check. */
  | { readonly ok: false; readonly code: 'KEY_EXCHANGE_FAILED' };

const NO_KEM: Encapsulated = { ciphertext: new Uint8Array(0), secret: new Uint8Array(0) };

/**
 * Completes offers and signs them together. `exponents[i]` is the fresh a of `jobs[i]` (exponent.ts), and stays the caller's. Results in the
 * order of the jobs; jobs of one group share passes of the kernel. Encapsulation draws its randomness inside node:crypto; `encapsulator` is
 * there for worked examples.
 */
export function makeOffers(
  crypto: Pick<Exponentiation, 'publicValues'>,
  hostKey: KeyObject,
  jobs: readonly OfferJob[],
  exponents: readonly Uint8Array[],
  encapsulator: (publicKey: Uint8Array) => Encapsulated | undefined = encapsulateTo,
): OfferKeys[] {
  assert(jobs.length === exponents.length, 'every offer has an exponent of its own');
  const publicValues = byGroup(jobs, (group, indices) =>
    crypto.publicValues(
      group,
      indices.map((index) => exponents[index]!),
    ),
  );
  const completed = jobs.map((job, index) => {
    const publicValue = publicValues[index]!;
    if (publicValue instanceof SallyportError) throw publicValue;
    const encapsulated = job.kemKey.length === 0 ? NO_KEM : encapsulator(job.kemKey);
    if (encapsulated === undefined) return undefined;
    const unsignedOffer = completeOffer(job, publicValue, encapsulated);
    return { helloFrame: job.helloFrame, unsignedOffer, publicValue, kemSecret: encapsulated.secret };
  });
  const offers = completed.filter((offer) => offer !== undefined);
  const signatures = signOffers(hostKey, offers).values();
  return completed.map((offer) => {
    if (offer === undefined) return { ok: false, code: 'KEY_EXCHANGE_FAILED' };
    const { unsignedOffer, publicValue, kemSecret } = offer;
    return { ok: true, unsignedOffer, signature: signatures.next().value!, publicValue, kemSecret };
  });
}

function completeOffer(job: OfferJob, publicValue: Uint8Array, kem: Encapsulated): Uint8Array {
  const unsignedOffer = new Uint8Array(job.unsignedOffer);
  unsignedOffer.set(publicValue, job.publicValueOffset);
  unsignedOffer.set(kem.ciphertext, job.kemCiphertextOffset);
  return unsignedOffer;
}
