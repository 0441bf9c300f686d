/** The server's half of the key exchange before the second port: Ys, ML-KEM and the signature of an OFFER, many at a time. */

import type { KeyObject } from 'node:crypto';
import { assert, SallyportError } from '../errors.ts';
import { byGroup } from './batch-by-group.ts';
import type { Exponentiation } from './core-modexp.ts';
import type { GroupName } from './groups.ts';
import { HOST_SIGNATURE_BYTES, signOffer } from './identity.ts';
import { type Encapsulated, encapsulateTo } from './kem.ts';

/** What a worker needs to complete one OFFER. Nothing in it is secret. */
export interface OfferJob {
  readonly group: GroupName;
  /** The customer's ML-KEM-768 encapsulation key, 1184 bytes; empty when kem = none. */
  readonly kemKey: Uint8Array;
  readonly helloFrame: Uint8Array;
  /** The whole OFFER frame with zeros where Ys, kem_ciphertext and signature (its last 64 bytes) go. */
  readonly offerFrame: Uint8Array;
  readonly publicValueOffset: number;
  readonly kemCiphertextOffset: number;
}

export type OfferKeys =
  | {
      readonly ok: true;
      /** Complete and signed. */
      readonly offerFrame: Uint8Array;
      /** Ys, |p| bytes. */
      readonly publicValue: Uint8Array;
      /** K, 32 bytes, or empty. Secret. */
      readonly kemSecret: Uint8Array;
    }
  /** The encapsulation key fails FIPS 203's check. */
  | { readonly ok: false; readonly code: 'KEY_EXCHANGE_FAILED' };

const NO_KEM: Encapsulated = { ciphertext: new Uint8Array(0), secret: new Uint8Array(0) };

/**
 * Completes offers. `exponents[i]` is the fresh a of `jobs[i]` (exponent.ts), and stays the caller's. Results in the order of the jobs; jobs
 * of one group share passes of the kernel. Encapsulation draws its randomness inside node:crypto; `encapsulator` is there for worked examples.
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
  return jobs.map((job, index) => {
    const publicValue = publicValues[index]!;
    if (publicValue instanceof SallyportError) throw publicValue;
    const encapsulated = job.kemKey.length === 0 ? NO_KEM : encapsulator(job.kemKey);
    if (encapsulated === undefined) return { ok: false, code: 'KEY_EXCHANGE_FAILED' };
    return {
      ok: true,
      offerFrame: completeOffer(job, publicValue, encapsulated, hostKey),
      publicValue,
      kemSecret: encapsulated.secret,
    };
  });
}

function completeOffer(job: OfferJob, publicValue: Uint8Array, kem: Encapsulated, hostKey: KeyObject): Uint8Array {
  const offerFrame = new Uint8Array(job.offerFrame);
  offerFrame.set(publicValue, job.publicValueOffset);
  offerFrame.set(kem.ciphertext, job.kemCiphertextOffset);
  const unsignedBytes = offerFrame.length - HOST_SIGNATURE_BYTES;
  offerFrame.set(signOffer(hostKey, job.helloFrame, offerFrame.subarray(0, unsignedBytes)), unsignedBytes);
  return offerFrame;
}
