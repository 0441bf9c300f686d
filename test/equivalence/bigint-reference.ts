/** The readable model: the same mathematics in BigInt, for equality and for nothing else (its time depends on the secret). */

export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

/** Big-endian, left-padded to `length` bytes. */
export function toBytes(value: bigint, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex'));
}

export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let power = base % modulus, rest = exponent; rest > 0n; rest >>= 1n, power = (power * power) % modulus) {
    if (rest & 1n) result = (result * power) % modulus;
  }
  return result;
}
