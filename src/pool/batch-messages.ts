/** What travels between the pool and its workers: one task, one batch, either way. */

import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { ArrivalJob, ArrivalKeys } from '../crypto/arrival-keys.ts';
import type { GroupName } from '../crypto/groups.ts';
import { type SessionKeys, wipeSessionKeys } from '../crypto/key-schedule.ts';
import type { OfferJob } from '../crypto/offer-keys.ts';
import { BundleReader, type ByteBundle, bundle } from './byte-bundle.ts';

/** What OFFER is put together from, and the secrets of its session. */
export interface OfferMade {
  /** The body of OFFER up to its signature. */
  readonly unsignedOffer: Uint8Array;
  readonly signature: Uint8Array;
  /** Ys, |p| bytes. */
  readonly publicValue: Uint8Array;
  /** a. Secret. */
  readonly exponent: Uint8Array;
  /** K, or empty. Secret. */
  readonly kemSecret: Uint8Array;
}

/** A job's result; undefined when the key exchange failed by the peer's fault. */
export type Made<Value> = Value | undefined;

export interface BatchRequest {
  readonly offers: readonly Pick<OfferJob, 'group' | 'publicValueOffset' | 'kemCiphertextOffset'>[];
  readonly arrivals: readonly GroupName[];
  readonly bytes: ByteBundle;
}

export interface BatchResponse {
  /** One for each job, offers first. */
  readonly made: readonly boolean[];
  readonly bytes: ByteBundle;
}

/** The message as piscina moves it between threads: its bundle is handed over, not copied, so no secret stays behind. */
export function moved(message: BatchRequest | BatchResponse): unknown {
  return move({ [transferableSymbol]: [message.bytes.buffer], [valueSymbol]: message });
}

/** Packs a batch and wipes the secrets of its arrivals, which now live in the bundle alone. */
export function encodeRequest(offers: readonly OfferJob[], arrivals: readonly ArrivalJob[]): BatchRequest {
  const bytes = bundle([
    ...offers.flatMap((job) => [job.kemKey, job.helloFrame, job.unsignedOffer]),
    ...arrivals.flatMap((job) => [job.exponent, job.publicValue, job.peerPublicValue, job.kemSecret, job.transcript]),
  ]);
  for (const job of arrivals) {
    job.exponent.fill(0);
    job.kemSecret.fill(0);
  }
  return {
    offers: offers.map(({ group, publicValueOffset, kemCiphertextOffset }) => ({
      group,
      publicValueOffset,
      kemCiphertextOffset,
    })),
    arrivals: arrivals.map(({ group }) => group),
    bytes,
  };
}

/** The jobs, as views of the bundle, which whoever performs them wipes by `wipe`. */
export function decodeRequest(request: BatchRequest): {
  readonly offers: OfferJob[];
  readonly arrivals: ArrivalJob[];
  readonly wipe: () => void;
} {
  const reader = new BundleReader(request.bytes);
  const offers = request.offers.map((offer) => ({
    ...offer,
    kemKey: reader.view(),
    helloFrame: reader.view(),
    unsignedOffer: reader.view(),
  }));
  const arrivals = request.arrivals.map((group) => ({
    group,
    exponent: reader.view(),
    publicValue: reader.view(),
    peerPublicValue: reader.view(),
    kemSecret: reader.view(),
    transcript: reader.view(),
  }));
  return { offers, arrivals, wipe: () => reader.wipe() };
}

/** Packs the results and wipes the secrets where they were made. */
export function encodeResponse(offers: readonly Made<OfferMade>[], arrivals: readonly ArrivalKeys[]): BatchResponse {
  const fields = offers.flatMap((offer) =>
    offer === undefined
      ? []
      : [offer.unsignedOffer, offer.signature, offer.publicValue, offer.exponent, offer.kemSecret],
  );
  for (const arrival of arrivals) if (arrival.ok) fields.push(...keyFields(arrival.keys));
  const bytes = bundle(fields);
  for (const offer of offers) {
    offer?.exponent.fill(0);
    offer?.kemSecret.fill(0);
  }
  for (const arrival of arrivals) if (arrival.ok) wipeSessionKeys(arrival.keys);
  return { made: [...offers.map((offer) => offer !== undefined), ...arrivals.map(({ ok }) => ok)], bytes };
}

/** The results in the order of the jobs, each with bytes of its own; the bundle is wiped. */
export function decodeResponse(
  request: BatchRequest,
  response: BatchResponse,
): { readonly offers: Made<OfferMade>[]; readonly arrivals: Made<SessionKeys>[] } {
  const reader = new BundleReader(response.bytes);
  const made = <Value>(index: number, read: () => Value): Made<Value> => (response.made[index] ? read() : undefined);
  const offers = request.offers.map((_, index) =>
    made(index, () => ({
      unsignedOffer: reader.copy(),
      signature: reader.copy(),
      publicValue: reader.copy(),
      exponent: reader.copy(),
      kemSecret: reader.copy(),
    })),
  );
  const arrivals = request.arrivals.map((_, index) =>
    made(offers.length + index, () => ({
      customer: { key: reader.copy(), iv: reader.copy() },
      server: { key: reader.copy(), iv: reader.copy() },
      serverFinished: reader.copy(),
    })),
  );
  reader.wipe();
  return { offers, arrivals };
}

function keyFields({ customer, server, serverFinished }: SessionKeys): Uint8Array[] {
  return [customer.key, customer.iv, server.key, server.iv, serverFinished];
}
