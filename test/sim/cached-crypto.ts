import { type Crypto, loadCrypto } from '../../src/crypto/index.ts';

/** A few exponents of each side and group, and their products. */
const REMEMBERED_MAX = 256;

/**
 * The real core with its exponentiations remembered: simulations draw exponents from a few fixed ones, so that thousands of sessions cost
 * a few dozen exponentiations, and every value that travels is still a true one.
 */
export async function loadCachedCrypto(): Promise<Crypto> {
  const crypto = await loadCrypto();
  const known = new Map<string, Uint8Array<ArrayBuffer>>();
  const remember = (key: string, compute: () => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
    const value = known.get(key) ?? compute();
    // Values that were altered on their way come once: those are not worth their room.
    if (known.size < REMEMBERED_MAX) known.set(key, value);
    return value.slice();
  };
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const publicValue: Crypto['publicValue'] = (group, exponent) =>
    remember(`${group} ${hex(exponent)}`, () => crypto.publicValue(group, exponent));
  const sharedValue: Crypto['sharedValue'] = (group, exponent, peer) =>
    remember(`${group} ${hex(exponent)} ${hex(peer)}`, () => crypto.sharedValue(group, exponent, peer));
  return {
    ...crypto,
    publicValue,
    sharedValue,
    publicValues: (group, exponents) => exponents.map((exponent) => publicValue(group, exponent)),
    sharedValues: (group, pairs) =>
      pairs.map(({ exponent, peerPublicValue }) => sharedValue(group, exponent, peerPublicValue)),
  };
}
