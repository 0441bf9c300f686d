/**
 * The finite fields of the independent peer: ffdhe2048, ffdhe3072 and ffdhe4096, computed from the formula of RFC 7919
 * Appendix A and not copied from any table, and modular exponentiation on BigInt. A test peer: BigInt is neither constant
 * in time nor wipeable, so nothing here belongs in a program that guards money.
 */

/** floor(e * 2^bits), by the series of 1/n! in integers with 64 guard bits. */
function floorOfScaledE(bits: bigint): bigint {
  const guard = 64n;
  let term = 1n << (bits + guard);
  let sum = 0n;
  let terms = 0n;
  for (let n = 1n; term > 0n; n += 1n) {
    sum += term;
    terms += 1n;
    term /= n;
  }
  // Each division drops less than n units carried forward by factors below 1: in all, less than 4 units a term.
  const low = sum >> guard;
  if ((sum + 4n * terms) >> guard !== low) throw new Error('too few guard bits for e');
  return low;
}

/** RFC 7919 Appendix A: p = 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1. */
function primeOf(bits: bigint, x: bigint): bigint {
  return (1n << bits) - (1n << (bits - 64n)) + ((floorOfScaledE(bits - 130n) + x) << 64n) - 1n;
}

export interface Group {
  readonly id: number;
  readonly name: string;
  readonly p: bigint;
  /** |p| in bytes; every value mod p travels left-padded to it. */
  readonly size: number;
  /** Bytes of a fresh secret exponent. */
  readonly exponentSize: number;
}

export const GROUPS: readonly Group[] = [
  { id: 0x0100, name: 'ffdhe2048', p: primeOf(2048n, 560316n), size: 256, exponentSize: 29 },
  { id: 0x0101, name: 'ffdhe3072', p: primeOf(3072n, 2625351n), size: 384, exponentSize: 35 },
  { id: 0x0102, name: 'ffdhe4096', p: primeOf(4096n, 5736041n), size: 512, exponentSize: 41 },
];

export function groupById(id: number): Group | undefined {
  return GROUPS.find((group) => group.id === id);
}

export function toInteger(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

export function toBytes(value: bigint, size: number): Buffer {
  const hex = value.toString(16).padStart(2 * size, '0');
  if (hex.length !== 2 * size) throw new Error('the value does not fit');
  return Buffer.from(hex, 'hex');
}

/** base^exponent mod p, left-padded to |p| bytes. */
export function power(group: Group, base: Uint8Array | bigint, exponent: Uint8Array): Buffer {
  let square = (typeof base === 'bigint' ? base : toInteger(base)) % group.p;
  let product = 1n;
  for (let rest = toInteger(exponent); rest > 0n; rest >>= 1n) {
    if (rest & 1n) product = (product * square) % group.p;
    square = (square * square) % group.p;
  }
  return toBytes(product, group.size);
}

/** A public value or Z is acceptable when it has |p| bytes and 1 < value < p - 1. */
export function inRange(group: Group, value: Uint8Array): boolean {
  if (value.length !== group.size) return false;
  const integer = toInteger(value);
  return integer > 1n && integer < group.p - 1n;
}
