/** A thread of the pool: loads the core, warms it up, says that it is ready, then performs one batch a task. */

import { createPrivateKey } from 'node:crypto';
import { workerData } from 'piscina';
import { makeArrivals } from '../crypto/arrival-keys.ts';
import { randomExponent } from '../crypto/exponent.ts';
import type { GroupName } from '../crypto/groups.ts';
import { loadCrypto } from '../crypto/index.ts';
import { makeOffers } from '../crypto/offer-keys.ts';
import { type BatchRequest, decodeRequest, encodeResponse, moved } from './batch-messages.ts';

export interface WorkerData {
  /** Ed25519 private key, PKCS #8. The pool's copy stays the pool's. */
  readonly hostKey: Uint8Array;
  /** Whether V8's experimental 256-bit vectors may be used (docs/KERNELS.md). */
  readonly quads: boolean;
  /** Groups the server's policy allows: their tables are made and their code is warm before the first batch. */
  readonly groups: readonly GroupName[];
  /** Count of workers that are ready; the pool waits for it. */
  readonly ready: Int32Array<SharedArrayBuffer>;
}

const { hostKey: pkcs8, groups, quads, ready } = workerData as WorkerData;
const hostKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
pkcs8.fill(0);
const crypto = await loadCrypto({ quads });
crypto.warmUp(groups);
Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);

/** The task, which piscina calls by its name: a BatchRequest in, a BatchResponse out. */
export function performBatch(request: BatchRequest): unknown {
  const { offers, arrivals, wipe } = decodeRequest(request);
  const exponents = offers.map(({ group }) => randomExponent(group));
  try {
    const offerKeys = makeOffers(crypto, hostKey, offers, exponents);
    const response = encodeResponse(
      offerKeys.map((keys, index) => (keys.ok ? { ...keys, exponent: exponents[index]! } : undefined)),
      makeArrivals(crypto, arrivals),
    );
    return moved(response);
  } finally {
    for (const exponent of exponents) exponent.fill(0);
    wipe();
  }
}
