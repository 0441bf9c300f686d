import { describe, expect, test } from 'vitest';
import { GROUP_NAMES, GROUPS, groupOfId, isGroupName } from '../../../src/crypto/groups.ts';
import { modPow, toBigInt } from '../../equivalence/bigint-reference.ts';

/** floor(e 2^bits) by the series sum 1/k!, with guard bits enough for the rounding of every term. */
function scaledE(bits: bigint): bigint {
  const guard = 64n;
  let sum = 0n;
  for (let term = 1n << (bits + guard), k = 1n; term > 0n; term /= k++) sum += term;
  return sum >> guard;
}

/** RFC 7919 appendix A: p = 2^b - 2^(b-64) + {[2^(b-130) e] + X} 2^64 - 1, X the smallest that makes p a safe prime. */
function primeByFormula(b: bigint, x: bigint): bigint {
  return (1n << b) - (1n << (b - 64n)) + (scaledE(b - 130n) + x) * (1n << 64n) - 1n;
}

describe('groups of RFC 7919', () => {
  test.each([
    ['ffdhe2048', 2048n, 560316n, 0x0100, 225],
    ['ffdhe3072', 3072n, 2625351n, 0x0101, 275],
    ['ffdhe4096', 4096n, 5736041n, 0x0102, 325],
  ] as const)('%s is what the formula of appendix A gives', (name, bits, x, id, exponentBits) => {
    const group = GROUPS[name];
    const p = toBigInt(group.p());
    expect(p).toBe(primeByFormula(bits, x));
    expect(group.id).toBe(id);
    expect(group.byteLength * 8).toBe(Number(bits));
    expect(group.exponentByteLength * 8).toBeGreaterThanOrEqual(exponentBits);
    expect(group.exponentByteLength * 8).toBeLessThan(exponentBits + 8);
    expect(group.g).toBe(2);
  });

  test.each(GROUP_NAMES)('%s: p and q pass Fermat tests, 2 generates the subgroup of order q', (name) => {
    const p = toBigInt(GROUPS[name].p());
    const q = (p - 1n) / 2n;
    expect(modPow(3n, p - 1n, p)).toBe(1n);
    expect(modPow(3n, q - 1n, q)).toBe(1n);
    expect(modPow(2n, q, p)).toBe(1n);
  });

  test('the formula notices a wrong X', () => {
    expect(primeByFormula(2048n, 560315n)).not.toBe(toBigInt(GROUPS.ffdhe2048.p()));
  });

  test('the constant cannot be changed through what p() returns', () => {
    GROUPS.ffdhe2048.p().fill(0);
    expect(toBigInt(GROUPS.ffdhe2048.p()) & 0xffn).toBe(0xffn);
    expect(Object.isFrozen(GROUPS)).toBe(true);
    expect(Object.isFrozen(GROUPS.ffdhe2048)).toBe(true);
  });

  test('groups are found by codepoint and name, and nothing else is', () => {
    for (const name of GROUP_NAMES) expect(groupOfId(GROUPS[name].id)).toBe(GROUPS[name]);
    expect(groupOfId(0x00ff)).toBeUndefined();
    expect(groupOfId(0x0103)).toBeUndefined();
    expect(isGroupName('ffdhe3072')).toBe(true);
    for (const other of ['ffdhe6144', 'toString', '', 2048, undefined]) expect(isGroupName(other)).toBe(false);
  });
});
