import { BATCH_LEVELS_MAX } from '../limits.ts';

const HASH_BYTES = 32;
const ED25519_BYTES = 64;

/** Bytes of the signature of a batch, as docs/PROTOCOL.md section 3.4 lays it out, with so many hashes on the way to the root. */
export function batchSignatureBytes(levels: number): number {
  return 1 + levels * HASH_BYTES + ED25519_BYTES;
}

export const BATCH_SIGNATURE_BYTES_MIN = batchSignatureBytes(0);
export const BATCH_SIGNATURE_BYTES_MAX = batchSignatureBytes(BATCH_LEVELS_MAX);
