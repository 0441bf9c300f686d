import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { signBatch, verifyBatchSignature } from '../../../src/crypto/batch-signature.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signRoot = (root: Uint8Array): Uint8Array => sign(null, root, privateKey);
const isSigned = (message: Uint8Array, signature: Uint8Array): boolean =>
  verifyBatchSignature((root, ed25519) => verify(null, root, publicKey, ed25519), message, signature);
const messagesOf = (count: number): Buffer[] => Array.from({ length: count }, (_, index) => Buffer.from(`m${index}`));
const sha256 = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

describe('one signature for a batch', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 512])(
    'verifies for each of %i messages, and is made once',
    (count) => {
      const messages = messagesOf(count);
      let made = 0;
      const signatures = signBatch((root) => {
        made += 1;
        return signRoot(root);
      }, messages);
      expect(made).toBe(1);
      expect(signatures).toHaveLength(count);
      for (const [index, signature] of signatures.entries()) {
        expect(isSigned(messages[index]!, signature)).toBe(true);
        expect(signature[0]).toBeLessThanOrEqual(Math.ceil(Math.log2(count)));
        if (count > 1) expect(isSigned(messages[(index + 1) % count]!, signature)).toBe(false);
      }
    },
  );

  it('has the layout of docs/PROTOCOL.md section 3.4', () => {
    const [a, b, c] = messagesOf(3).map((message) => sha256(message));
    const pair = (x: Buffer, y: Buffer): Buffer =>
      sha256('sallyport/1 batch node\0', ...(Buffer.compare(x, y) < 0 ? [x, y] : [y, x]));
    const ab = pair(a!, b!);
    const ed25519 = signRoot(Buffer.concat([Buffer.from('sallyport/1 batch\0'), pair(ab, c!)]));
    expect(signBatch(signRoot, messagesOf(3))).toEqual([
      Buffer.concat([Buffer.of(2), b!, c!, ed25519]),
      Buffer.concat([Buffer.of(2), a!, c!, ed25519]),
      Buffer.concat([Buffer.of(1), ab, ed25519]),
    ]);
  });

  it('takes equal messages for what they are', () => {
    const message = Buffer.from('twice');
    for (const signature of signBatch(signRoot, [message, message, message]))
      expect(isSigned(message, signature)).toBe(true);
  });

  it('is none with any bit changed, nor cut, nor lengthened', () => {
    const message = messagesOf(5)[2]!;
    const signature = signBatch(signRoot, messagesOf(5))[2]!;
    for (let bit = 0; bit < signature.length * 8; bit++) {
      const changed = Uint8Array.from(signature);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(isSigned(message, changed), `bit ${bit}`).toBe(false);
    }
    for (let length = 0; length < signature.length; length++)
      expect(isSigned(message, signature.subarray(0, length))).toBe(false);
    expect(isSigned(message, Buffer.concat([signature, Buffer.of(0)]))).toBe(false);
  });

  it('signs no inner node: what is hashed for one is no message that somebody signed', () => {
    const [a, b] = messagesOf(2)
      .map((message) => sha256(message))
      .sort(Buffer.compare);
    const node = Buffer.concat([Buffer.from('sallyport/1 batch node\0'), a!, b!]);
    const signature = signBatch(signRoot, messagesOf(2))[0]!;
    // It verifies as a message, which is why messages have labels that no node has.
    expect(isSigned(node, Buffer.concat([Buffer.of(0), signature.subarray(-64)]))).toBe(true);
    expect(node.subarray(0, 22).toString()).toBe('sallyport/1 batch node');
  });

  it('is refused for more levels than any batch has, before anything is hashed', () => {
    const levels = 17;
    expect(isSigned(Buffer.from('m'), Buffer.concat([Buffer.of(levels), Buffer.alloc(levels * 32 + 64)]))).toBe(false);
  });

  it('is not made for nothing', () => {
    expect(signBatch(() => expect.fail('nothing to sign'), [])).toEqual([]);
  });
});
