/**
 * The kernels' multiplication and squaring against the same algorithm in BigInt, digit for digit, on unreduced and extreme inputs, with
 * the bounds that the kernels' comments claim asserted by the model.
 */

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { GROUP_NAMES, GROUPS } from '../../../src/crypto/groups.ts';
import { toBigInt } from '../../equivalence/bigint-reference.ts';
import { compile } from './compile.ts';

const ENTRY = `
import { makeConstants } from './groups';
import { multiplyPair, squarePair } from './montgomery-pair';
import { multiplyQuad, squareQuad } from './montgomery-quad';
import { multiplySingle, squareSingle } from './montgomery-single';
import { multiplyScalar, squareScalar } from './montgomery-scalar';
export function multiply(lanes: i32, out: usize, x: usize, y: usize, p: usize, n: i32): void {
  if (lanes == 4) multiplyQuad(out, x, y, p, n);
  else if (lanes == 2) multiplyPair(out, x, y, p, n);
  else multiplySingle(out, x, y, p, n);
}
export function square(lanes: i32, out: usize, x: usize, p: usize, n: i32): void {
  if (lanes == 4) squareQuad(out, x, p, n);
  else if (lanes == 2) squarePair(out, x, p, n);
  else squareSingle(out, x, p, n);
}
export function prepare(group: i32, from: usize): void {
  makeConstants(group, from);
}
export function scalar(out: usize, x: usize, y: usize, p: usize, n: i32): void {
  if (x == y) squareScalar(out, x, p, n);
  else multiplyScalar(out, x, y, p, n);
}`;
const bytes = await compile('assembly/kernels-under-test.ts', (name, text) =>
  name.endsWith('kernels-under-test.ts') ? ENTRY : text,
);
const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
const kernels = instance.exports as Record<'multiply' | 'square' | 'prepare' | 'scalar', (...args: number[]) => void>;
const memory = (instance.exports as { memory: WebAssembly.Memory }).memory.buffer;

// A group's place for p in each number of lanes, and for q (memory.ts); and places that nobody else uses here, zeros around each.
const GROUPS_AT = 0x40000;
const PRIME: Record<number, number> = { 1: 0x0040, 2: 0x4040, 4: 0x8040 };
const MULTIPLE: Record<number, number> = { 1: 0xc440, 2: 0xc840, 4: 0xe740 };
const STAGING = 0x20000;
const [X, Y, OUT, LIMBS] = [0x80040, 0x82040, 0x84040, 0x86040];

const RADIX = 52n;
const DIGIT_MAX = 1n << 51n;

function balancedDigits(value: bigint, n: number): bigint[] {
  const digits: bigint[] = [];
  let rest = value;
  for (let i = 0; i < n; i++) {
    const digit = BigInt.asIntN(52, rest);
    digits.push(digit);
    rest = (rest - digit) >> RADIX;
  }
  if (rest !== 0n) throw new Error('the value has more digits');
  return digits;
}

const numberOf = (digits: readonly bigint[]): bigint => digits.reduceRight((sum, digit) => (sum << RADIX) + digit, 0n);
const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** a b = 2^51 h + l with h the rounding of a b / 2^51 to nearest, ties to even, as fma.ts has it. */
function split(a: bigint, b: bigint): { h: bigint; l: bigint } {
  const product = a * b;
  expect(magnitude(product) <= 1n << 102n).toBe(true);
  let h = product >> 51n;
  let l = product - (h << 51n);
  if (l > 1n << 50n || (l === 1n << 50n && h & 1n)) {
    h++;
    l -= 1n << 51n;
  }
  return { h, l };
}

/** q: digits 4 to n + 3 of k p, which is -1 modulo 2^208. */
function multipleDigits(p: bigint, n: number): bigint[] {
  const modulus = 1n << 208n;
  let k = 1n;
  for (let i = 0; i < 8; i++) k = (k * (2n + p * k)) % modulus; // Newton's iteration for -1 / p
  k = BigInt.asIntN(208, k);
  const digits = balancedDigits(k * p, n + 4);
  expect(digits.slice(0, 4)).toEqual([-1n, 0n, 0n, 0n]);
  expect(magnitude(k) <= 1n << 207n).toBe(true);
  return digits.slice(4);
}

/**
 * The kernels' algorithm: column sums with balanced quotient digits, which but for the last four go by the multiple of p that touches
 * nothing before the fourth column from their own; every stated bound is asserted.
 */
function model(x: readonly bigint[], y: readonly bigint[], p: readonly bigint[], q: readonly bigint[]): bigint[] {
  const n = x.length;
  const m: bigint[] = [];
  const out: bigint[] = [];
  let carry = 0n;
  for (let k = 0; k < 2 * n; k++) {
    let [H, L] = [0n, 0n];
    const addProduct = (a: bigint, b: bigint): void => {
      const { h, l } = split(a, b);
      H += h;
      L += l;
    };
    for (let i = Math.max(0, k - n + 1); i <= Math.min(k, n - 1); i++) addProduct(x[i]!, y[k - i]!);
    for (let i = 0; i < Math.min(k, n); i++) {
      const digit = i < n - 4 ? q[k - i - 4] : p[k - i];
      if (digit !== undefined) addProduct(m[i]!, digit);
    }
    if (magnitude(L) >= 1n << 58n || magnitude(H) >= 1n << 59n || magnitude(carry) >= 1n << 58n) {
      throw new Error(`a bound is broken in column ${k}`);
    }
    const value = L + carry + (H << 51n);
    const digit = BigInt.asIntN(52, value);
    carry = (value - digit) >> RADIX;
    (k < n ? m : out).push(digit);
  }
  expect(carry).toBe(0n);
  return out;
}

function store(at: number, lanes: number, numbers: readonly bigint[][]): void {
  const view = new Float64Array(memory, at, numbers[0]!.length * lanes);
  numbers.forEach((digits, lane) => {
    digits.forEach((digit, i) => {
      view[i * lanes + lane] = Number(digit);
    });
  });
}

function load(at: number, lanes: number, lane: number, n: number): bigint[] {
  const view = new Float64Array(memory, at, n * lanes);
  return Array.from({ length: n }, (_, i) => BigInt(view[i * lanes + lane]!));
}

describe.each(GROUP_NAMES)('%s', (name) => {
  const p = toBigInt(GROUPS[name].p());
  const bits = 8 * GROUPS[name].byteLength;
  const n = 40 + 20 * GROUPS[name].index;
  const primeDigits = balancedDigits(p, n);
  const R = 1n << BigInt(52 * n);

  /** The number below p in magnitude whose digits are `digit` as far as they reach. */
  const filled = (digit: bigint): bigint[] => {
    return Array.from({ length: n }, (_, i) => (52 * (i + 1) < bits - 12 ? digit : 0n));
  };
  const inputs: bigint[][] = [
    ...[0n, 1n, -1n, 2n, p - 1n, p, -p, 1n - p, p >> 1n, -(p >> 1n)].map((value) => balancedDigits(value, n)),
    ...[DIGIT_MAX, DIGIT_MAX - 1n, -DIGIT_MAX, 1n, 1n - DIGIT_MAX].map(filled),
    filled(DIGIT_MAX).map((digit, i) => (i & 1 ? -digit : digit)),
    balancedDigits(toBigInt(randomBytes(bits / 8)) - (1n << BigInt(bits - 1)), n),
  ];
  /** Each input with itself, with p (the largest), and with its neighbour. */
  const pairs = inputs.flatMap((x, i) => [[x, x] as const, [x, inputs[(i * 5 + 3) % inputs.length]!] as const]);
  const multiple = multipleDigits(p, n);
  const expected = pairs.map(([x, y]) => model(x, y, primeDigits, multiple));
  const at = GROUPS_AT + (GROUPS[name].index << 16);

  beforeAll(() => {
    new Uint8Array(memory, STAGING).set(GROUPS[name].p());
    kernels.prepare(GROUPS[name].index, STAGING);
  });

  test('the model is Montgomery multiplication, and stays in its lazy range', () => {
    pairs.forEach(([x, y], i) => {
      const value = numberOf(expected[i]!);
      expect((value * R - numberOf(x) * numberOf(y)) % p).toBe(0n);
      const bound = (magnitude(numberOf(x)) * magnitude(numberOf(y))) / R + (3n * p) / 4n + 2n ** 2000n;
      expect(magnitude(value) <= bound).toBe(true);
    });
  });

  test.each([1, 2, 4])('%d at once: p and its multiple, as the core makes them, are those of the model', (lanes) => {
    for (let lane = 0; lane < lanes; lane++) {
      expect(load(at + PRIME[lanes]!, lanes, lane, n)).toEqual([0n, ...primeDigits.slice(1)]);
      expect(load(at + MULTIPLE[lanes]!, lanes, lane, n)).toEqual(multiple);
    }
  });

  test.each([1, 2, 4])(
    '%d at once: multiplication and squaring give the digits of the model, in place and not',
    (lanes) => {
      new Uint8Array(memory, X - 0x40, LIMBS - X).fill(0);
      const P = at + PRIME[lanes]!;
      for (let first = 0; first < pairs.length; first += lanes) {
        const items = Array.from({ length: lanes }, (_, lane) => (first + lane) % pairs.length);
        const xs = items.map((item) => [...pairs[item]![0]]);
        store(X, lanes, xs);
        store(
          Y,
          lanes,
          items.map((item) => [...pairs[item]![1]]),
        );
        const squares = items.every((item) => pairs[item]![0] === pairs[item]![1]);
        kernels.multiply(lanes, OUT, X, Y, P, n);
        for (const [lane, item] of items.entries()) expect(load(OUT, lanes, lane, n)).toEqual(expected[item]);
        kernels.multiply(lanes, Y, X, Y, P, n);
        for (const [lane, item] of items.entries()) expect(load(Y, lanes, lane, n)).toEqual(expected[item]);
        if (lanes > 1 || squares) {
          const squared = items.map((item) => expected[item % 2 === 0 ? item : item - 1]);
          kernels.square(lanes, X, X, P, n);
          for (const [lane] of items.entries()) expect(load(X, lanes, lane, n)).toEqual(squared[lane]);
        }
      }
    },
  );

  test('scalar: the result of every unreduced product below 4 p^2 is exact and below 2p', () => {
    const limbs = [74, 110, 148][GROUPS[name].index]!;
    const radix = 1n << BigInt(28 * limbs);
    const put = (at: number, value: bigint): void => {
      const view = new Uint32Array(memory, at, limbs);
      for (let i = 0; i < limbs; i++) view[i] = Number((value >> BigInt(28 * i)) & 0xfffffffn);
    };
    const get = (at: number): bigint => {
      return [...new Uint32Array(memory, at, limbs)].reduceRight((sum, limb) => (sum << 28n) + BigInt(limb), 0n);
    };
    put(LIMBS, p);
    const allOnes = (1n << BigInt(28 * Math.floor(bits / 28))) - 1n;
    const values = [0n, 1n, 2n, p - 1n, p, p + 1n, 2n * p - 1n, allOnes, toBigInt(randomBytes(bits / 8))];
    // m = -x y / p mod R makes (x y + m p) / R whole; p = -1 mod 2^64, lifted to R by Newton's iteration.
    let inverse = 1n;
    for (let i = 0; i < 14; i++) inverse = (inverse * (2n + p * inverse)) % radix; // of -p
    for (const x of values) {
      for (const y of values) {
        put(X, x);
        put(Y, y);
        const m = (((x * y * inverse) % radix) + radix) % radix;
        const product = (x * y + m * p) / radix;
        expect(product < 2n * p).toBe(true);
        kernels.scalar(OUT, X, Y, LIMBS, limbs);
        expect(get(OUT)).toBe(product);
        kernels.scalar(Y, X, Y, LIMBS, limbs); // in place
        expect(get(Y)).toBe(product);
        if (x !== y) continue;
        kernels.scalar(OUT, X, X, LIMBS, limbs);
        expect(get(OUT)).toBe(product);
        kernels.scalar(X, X, X, LIMBS, limbs);
        expect(get(X)).toBe(product);
        put(X, x);
      }
    }
  });
});

test('the model refuses digits beyond the balanced range, and notices a broken bound', () => {
  const p = balancedDigits(toBigInt(GROUPS.ffdhe2048.p()), 40);
  const wide = Array<bigint>(40).fill(DIGIT_MAX + 1n);
  expect(() => model(wide, wide, p, p)).toThrow();
});
