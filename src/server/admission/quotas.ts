import { assert } from '../../errors.ts';
import { type AddressPrefixes, prefixesOf } from './address-prefix.ts';

/**
 * How much half-open state one host, one network and everybody together may hold. A place is held from accept at the first port until
 * the customer of the session is verified at the second, or it has ended. Rates are token buckets over new places.
 */
export interface QuotaLimits {
  readonly halfOpenMax: number;
  readonly halfOpenPerHostMax: number;
  readonly halfOpenPerNetworkMax: number;
  /** New places a second and host; 0 = not limited. */
  readonly ratePerHost: number;
  /** Places a host may take at once before its rate counts. */
  readonly burstPerHost: number;
}

export type QuotaRefusal = 'half-open' | 'half-open-host' | 'half-open-network' | 'rate-host';

/** A held place; whoever holds it releases it exactly once. */
export interface QuotaPlace {
  release(): void;
}

export type QuotaDecision =
  | { readonly ok: true; readonly place: QuotaPlace }
  | { readonly ok: false; readonly refusal: QuotaRefusal; readonly retryAfterMs: number };

/** What a peer over its half-open quota is told to wait: about the time a lease that nobody claims lives. */
const HALF_OPEN_RETRY_AFTER_MS = 1_000;
/** Token buckets kept at most: 100 bytes each, so a flood from a million addresses cannot grow the server by more than about 6 MB. */
const BUCKETS_MAX = 65_536;

interface Bucket {
  tokens: number;
  updatedMs: number;
}

/** Counts half-open places by host and network. All operations are O(1) but for a bounded sweep when the bucket table is full. */
export class Quotas {
  #limits: QuotaLimits;
  #held = 0;
  readonly #heldByHost = new Map<string, number>();
  readonly #heldByNetwork = new Map<string, number>();
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** Places held now. */
  get held(): number {
    return this.#held;
  }

  /** The share of half-open room in use, 0 to 1. */
  get load(): number {
    return this.#held / this.#limits.halfOpenMax;
  }

  /** Takes new limits; places held beyond them stay until they are released. */
  configure(limits: QuotaLimits): void {
    this.#limits = limits;
  }

  /** Takes a place for a new connection from `address`, or says which quota refuses it and when to try again. */
  admit(address: string | undefined, nowMs: number): QuotaDecision {
    const prefixes = prefixesOf(address);
    const limits = this.#limits;
    if (this.#held >= limits.halfOpenMax) return refusal('half-open');
    if ((this.#heldByHost.get(prefixes.host) ?? 0) >= limits.halfOpenPerHostMax) return refusal('half-open-host');
    if ((this.#heldByNetwork.get(prefixes.network) ?? 0) >= limits.halfOpenPerNetworkMax)
      return refusal('half-open-network');
    const waitMs = this.#takeToken(prefixes.host, nowMs);
    if (waitMs > 0) return { ok: false, refusal: 'rate-host', retryAfterMs: waitMs };
    return { ok: true, place: this.#hold(prefixes) };
  }

  #hold(prefixes: AddressPrefixes): QuotaPlace {
    this.#held += 1;
    increment(this.#heldByHost, prefixes.host);
    increment(this.#heldByNetwork, prefixes.network);
    let held = true;
    return {
      release: () => {
        assert(held, 'a quota place is released once');
        held = false;
        this.#held -= 1;
        decrement(this.#heldByHost, prefixes.host);
        decrement(this.#heldByNetwork, prefixes.network);
      },
    };
  }

  /** Milliseconds until the host has a token; 0 when one was taken now. */
  #takeToken(host: string, nowMs: number): number {
    const { ratePerHost, burstPerHost } = this.#limits;
    if (ratePerHost === 0) return 0;
    let bucket = this.#buckets.get(host);
    if (bucket === undefined) {
      this.#makeRoom(nowMs);
      bucket = { tokens: burstPerHost, updatedMs: nowMs };
      this.#buckets.set(host, bucket);
    }
    // A clock that jumped back gives no tokens and takes none.
    const elapsedMs = Math.max(0, nowMs - bucket.updatedMs);
    bucket.tokens = Math.min(burstPerHost, bucket.tokens + (elapsedMs * ratePerHost) / 1_000);
    bucket.updatedMs = nowMs;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) * 1_000) / ratePerHost);
  }

  /** Drops the longest-known bucket when the table is full: its host starts again with a full bucket, which is the smaller harm. */
  #makeRoom(nowMs: number): void {
    if (this.#buckets.size < BUCKETS_MAX) return;
    const { ratePerHost, burstPerHost } = this.#limits;
    const refillMs = (burstPerHost * 1_000) / ratePerHost;
    for (const [host, bucket] of this.#buckets) {
      const full = nowMs - bucket.updatedMs >= refillMs;
      if (!full && this.#buckets.size < BUCKETS_MAX) return;
      this.#buckets.delete(host);
    }
  }
}

function refusal(name: QuotaRefusal): QuotaDecision {
  return { ok: false, refusal: name, retryAfterMs: HALF_OPEN_RETRY_AFTER_MS };
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function decrement(counts: Map<string, number>, key: string): void {
  const count = counts.get(key)! - 1;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
