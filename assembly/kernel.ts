// The kernel: Montgomery arithmetic on 1, 2 or 4 numbers at once, whichever this build has, behind one set of functions.
//
// A number of `lanes` interleaved numbers holds its digits (or limbs) in that order: digit 0 of each lane, digit 1 of each, and so on.
// The build decides which kernels exist: without relaxed SIMD the scalar one, of one lane; with it, those of fused multiply-add.

import { bytesFromDigits, digitsFromBytes } from './digits';
import { multiplyAddIsExact } from './fma';
import { bytesFromLimbs, canonicalLimbs, limbsFromBytes } from './limbs';
import { multiplyPair, squarePair } from './montgomery-pair';
import { multiplyQuad, squareQuad } from './montgomery-quad';
import { multiplyScalar, squareScalar } from './montgomery-scalar';
import { multiplySingle, squareSingle } from './montgomery-single';

/** Bit 0: SIMD; bit 1: relaxed SIMD fused multiply-add. */
export const KERNEL_FEATURES: i32 = ASC_FEATURE_RELAXED_SIMD ? 3 : 0;
/** The most numbers that one pass carries: BUILD_LANES comes from the target in asconfig.json. */
export const LANES_MAX: i32 = BUILD_LANES;
/** Bytes of a digit (f64) or limb (u32). */
export const DIGIT_BYTES: usize = ASC_FEATURE_RELAXED_SIMD ? 8 : 4;
const DIGIT_BITS: i32 = ASC_FEATURE_RELAXED_SIMD ? 52 : 28;

/** Digits: 40, 60, 80 of 52 bits or 74, 110, 148 of 28, so that R is a power of 2^8 and at least 2^8 p. */
export function digitCount(group: i32): i32 {
  if (ASC_FEATURE_RELAXED_SIMD) return 40 + 20 * group;
  return group == 0 ? 74 : group == 1 ? 110 : 148;
}

/** log2 R. */
export function radixBits(group: i32): i32 {
  return digitCount(group) * DIGIT_BITS;
}

/** How many of `count` waiting numbers the next pass takes: 4, 2 or 1. */
export function lanesFor(count: i32): i32 {
  if (LANES_MAX >= 4 && count >= 4) return 4;
  return LANES_MAX >= 2 && count >= 2 ? 2 : 1;
}

/** 1 when the arithmetic that the kernel stands on is exact in this engine, else 0. */
export function kernelIsExact(): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? multiplyAddIsExact() : 1;
}

/** out = x y / R in each lane; lazy range as the kernel's file states. out may be x or y. */
export function multiply(lanes: i32, out: usize, x: usize, y: usize, p: usize, n: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (LANES_MAX >= 4 && lanes == 4) multiplyQuad(out, x, y, p, n);
    else if (lanes == 2) multiplyPair(out, x, y, p, n);
    else multiplySingle(out, x, y, p, n);
  } else multiplyScalar(out, x, y, p, n);
}

/** out = x^2 / R in each lane. */
export function square(lanes: i32, out: usize, x: usize, p: usize, n: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (LANES_MAX >= 4 && lanes == 4) squareQuad(out, x, p, n);
    else if (lanes == 2) squarePair(out, x, p, n);
    else squareSingle(out, x, p, n);
  } else squareScalar(out, x, p, n);
}

/** Lane `lane` of out = the big-endian number of `length` bytes at `from`. */
export function numberFromBytes(out: usize, lanes: i32, lane: i32, n: i32, from: usize, length: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) digitsFromBytes(out, lanes, lane, n, from, length);
  else limbsFromBytes(out, n, from, length);
}

/** The canonical big-endian bytes of lane `lane` of x, which left Montgomery form; p in one lane. */
export function bytesFromNumber(to: usize, length: i32, x: usize, lanes: i32, lane: i32, n: i32, p: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD) bytesFromDigits(to, length, x, lanes, lane, n, p);
  else {
    canonicalLimbs(x, p, n);
    bytesFromLimbs(to, length, x, n);
  }
}
