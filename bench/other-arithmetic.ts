/** The other ways to exponentiate in JavaScript that the core is measured against: GMP compiled to WebAssembly, and BigInt. */

import { init } from 'gmp-wasm';
import type { Group } from '../src/crypto/groups.ts';
import { modPow, toBigInt, toBytes } from '../test/equivalence/bigint-reference.ts';

/** peer^exponent mod p, |p| bytes from bytes. Neither hides the exponent in its time. */
export type Exponentiate = (exponent: Uint8Array, peer: Uint8Array) => Uint8Array;

/** GMP's mpz_powm by its C functions: bytes in and out of its memory, as a careful caller would. */
export async function gmpExponentiation(group: Group): Promise<Exponentiate> {
  const { binding } = await init();
  const [base, power, modulus, result] = [binding.mpz_t(), binding.mpz_t(), binding.mpz_t(), binding.mpz_t()];
  for (const number of [base, power, modulus, result]) binding.mpz_init(number);
  const { byteLength } = group;
  const buffer = binding.malloc(byteLength);
  const count = binding.malloc(4);
  const put = (number: number, bytes: Uint8Array): void => {
    binding.mem.set(bytes, buffer);
    binding.mpz_import(number, bytes.length, 1, 1, 1, 0, buffer);
  };
  put(modulus, group.p());
  return (exponent, peer) => {
    put(base, peer);
    put(power, exponent);
    binding.mpz_powm(result, base, power, modulus);
    binding.mpz_export(buffer, count, 1, 1, 1, 0, result);
    const length = new DataView(binding.mem.buffer).getUint32(count, true);
    const bytes = new Uint8Array(byteLength);
    bytes.set(binding.mem.subarray(buffer, buffer + length), byteLength - length);
    return bytes;
  };
}

/** Square and multiply, as most JavaScript that exponentiates has it. */
export function bigIntExponentiation(group: Group): Exponentiate {
  const p = toBigInt(group.p());
  return (exponent, peer) => toBytes(modPow(toBigInt(peer), toBigInt(exponent), p), group.byteLength);
}
