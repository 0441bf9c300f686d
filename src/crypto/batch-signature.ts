/**
 * One Ed25519 signature for many messages. It is made over the root of a hash tree whose leaves are the messages, and every message carries
 * the hashes that lead from its leaf to the root: a server under load signs once for all that came together, and who verifies needs nothing
 * of the other messages (R. Merkle, A Digital Signature Based on a Conventional Encryption Function, CRYPTO '87; Roughtime and
 * draft-davidben-tls-batch-signing do the same). docs/PROTOCOL.md section 3.4.
 */

import { hash } from 'node:crypto';
import { assert } from '../errors.ts';
import { BATCH_LEVELS_MAX } from '../limits.ts';

const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;

const ROOT_LABEL = Buffer.from('sallyport/1 batch\0', 'latin1');
const NODE_LABEL = Buffer.from('sallyport/1 batch node\0', 'latin1');

/**
 * Signs messages together: for each, in order, the number of hashes on its path (1 byte), those hashes from the leaf up, and the
 * signature that all share. `sign` is Ed25519 by the host key. A message alone has an empty path: its own hash is the root.
 */
export function signBatch(sign: (root: Uint8Array) => Uint8Array, messages: readonly Uint8Array[]): Uint8Array[] {
  if (messages.length === 0) return [];
  assert(messages.length <= 2 ** BATCH_LEVELS_MAX, 'a batch has at most 65,536 messages');
  const paths = messages.map((): Uint8Array[] => []);
  let level = messages.map(sha256);
  for (let height = 0; level.length > 1; height++) {
    for (const [index, path] of paths.entries()) {
      const sibling = level[(index >> height) ^ 1];
      if (sibling !== undefined) path.push(sibling);
    }
    level = parentsOf(level);
  }
  const signature = sign(rootMessage(level[0]!));
  return paths.map((path) => Buffer.concat([Uint8Array.of(path.length), ...path, signature]));
}

/** Whether a signature of `signBatch` is one of this message. `verify` is Ed25519 by the host key. */
export function verifyBatchSignature(
  verify: (root: Uint8Array, signature: Uint8Array) => boolean,
  message: Uint8Array,
  batchSignature: Uint8Array,
): boolean {
  const levels = batchSignature[0] ?? 0;
  const end = 1 + levels * HASH_BYTES;
  if (levels > BATCH_LEVELS_MAX || batchSignature.length !== end + SIGNATURE_BYTES) return false;
  let node = sha256(message);
  for (let at = 1; at < end; at += HASH_BYTES) node = parentOf(node, batchSignature.subarray(at, at + HASH_BYTES));
  return verify(rootMessage(node), batchSignature.subarray(end));
}

/** The next level: neighbours in pairs; the last of an odd number goes up as it is. */
function parentsOf(level: readonly Uint8Array[]): Uint8Array[] {
  return level.flatMap((node, index) => {
    if (index % 2 === 1) return [];
    const sibling = level[index + 1];
    return [sibling === undefined ? node : parentOf(node, sibling)];
  });
}

/** The lesser one first, so that a path needs no sides. */
function parentOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([NODE_LABEL, ...(Buffer.compare(a, b) < 0 ? [a, b] : [b, a])]));
}

function rootMessage(root: Uint8Array): Uint8Array {
  return Buffer.concat([ROOT_LABEL, root]);
}

function sha256(message: Uint8Array): Uint8Array {
  return hash('sha256', message, 'buffer');
}
