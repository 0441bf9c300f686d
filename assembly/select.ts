// Selection of a table's entry by a secret index: every entry is read whole, and kept or not by a mask.
//
// Masks are all ones or all zeros, for which a relaxed lane selection has one result: a single instruction where V8 uses AVX.
//
// The vector forms take ten vectors of the number at a time, which with mask, counter and index fill the registers; 40, 60, 80 digits
// of one or two lanes are 20 to 80 vectors, so that ten always divides.

import { SELECTED } from './memory';

const ONE: u64 = 1;

/** SELECTED = table[index], a table of `count` numbers of n limbs, `stride` bytes apart. */
export function selectLimbs(table: usize, stride: usize, count: u32, index: u32, n: i32): void {
  for (let i: usize = 0; i < <usize>n << 2; i += 8) {
    let value: u64 = 0;
    let entry = table + i;
    for (let e: u32 = 0; e < count; e++) {
      const mask = 0 - ((<u64>(e ^ index) - ONE) >>> 63); // all ones when e == index
      value |= load<u64>(entry) & mask;
      entry += stride;
    }
    store<u64>(SELECTED + i, value);
  }
}

/**
 * SELECTED = in each of one or two lanes its entry of the table, `count` numbers `stride` bytes apart, of whole vectors. The indices
 * are those of the vectors' halves: for one number its index twice.
 */
export function selectVectors(table: usize, stride: usize, count: i32, i0: u32, i1: u32): void {
  const index = i64x2.replace_lane(i64x2.splat(i0), 1, i1);
  const one = i64x2.splat(1);
  for (let at: usize = 0; at < stride; at += 160) {
    let s0: v128, s1: v128, s2: v128, s3: v128, s4: v128, s5: v128, s6: v128, s7: v128, s8: v128, s9: v128;
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = i64x2.splat(0);
    let entry = table + at;
    let counter = i64x2.splat(0);
    for (let e = 0; e < count; e++) {
      const mask = i64x2.eq(counter, index);
      s0 = i64x2.relaxed_laneselect(v128.load(entry), s0, mask);
      s1 = i64x2.relaxed_laneselect(v128.load(entry, 16), s1, mask);
      s2 = i64x2.relaxed_laneselect(v128.load(entry, 32), s2, mask);
      s3 = i64x2.relaxed_laneselect(v128.load(entry, 48), s3, mask);
      s4 = i64x2.relaxed_laneselect(v128.load(entry, 64), s4, mask);
      s5 = i64x2.relaxed_laneselect(v128.load(entry, 80), s5, mask);
      s6 = i64x2.relaxed_laneselect(v128.load(entry, 96), s6, mask);
      s7 = i64x2.relaxed_laneselect(v128.load(entry, 112), s7, mask);
      s8 = i64x2.relaxed_laneselect(v128.load(entry, 128), s8, mask);
      s9 = i64x2.relaxed_laneselect(v128.load(entry, 144), s9, mask);
      counter = i64x2.add(counter, one);
      entry += stride;
    }
    const to = SELECTED + at;
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
    v128.store(to, s4, 64);
    v128.store(to, s5, 80);
    v128.store(to, s6, 96);
    v128.store(to, s7, 112);
    v128.store(to, s8, 128);
    v128.store(to, s9, 144);
  }
}

/** The same for four lanes, whose indices are those of the halves of the even and of the odd vectors; eight vectors at a time. */
export function selectFour(table: usize, stride: usize, count: i32, i0: u32, i1: u32, i2: u32, i3: u32): void {
  const evenIndex = i64x2.replace_lane(i64x2.splat(i0), 1, i1);
  const oddIndex = i64x2.replace_lane(i64x2.splat(i2), 1, i3);
  const one = i64x2.splat(1);
  for (let at: usize = 0; at < stride; at += 128) {
    let s0: v128, s1: v128, s2: v128, s3: v128, s4: v128, s5: v128, s6: v128, s7: v128;
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = i64x2.splat(0);
    let entry = table + at;
    let counter = i64x2.splat(0);
    for (let e = 0; e < count; e++) {
      const even = i64x2.eq(counter, evenIndex);
      const odd = i64x2.eq(counter, oddIndex);
      s0 = i64x2.relaxed_laneselect(v128.load(entry), s0, even);
      s1 = i64x2.relaxed_laneselect(v128.load(entry, 16), s1, odd);
      s2 = i64x2.relaxed_laneselect(v128.load(entry, 32), s2, even);
      s3 = i64x2.relaxed_laneselect(v128.load(entry, 48), s3, odd);
      s4 = i64x2.relaxed_laneselect(v128.load(entry, 64), s4, even);
      s5 = i64x2.relaxed_laneselect(v128.load(entry, 80), s5, odd);
      s6 = i64x2.relaxed_laneselect(v128.load(entry, 96), s6, even);
      s7 = i64x2.relaxed_laneselect(v128.load(entry, 112), s7, odd);
      counter = i64x2.add(counter, one);
      entry += stride;
    }
    const to = SELECTED + at;
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
    v128.store(to, s4, 64);
    v128.store(to, s5, 80);
    v128.store(to, s6, 96);
    v128.store(to, s7, 112);
  }
}

/**
 * Two lanes of SELECTED, `step` bytes from digit to digit, = table[first] and table[second], a table of `count` numbers of one lane,
 * `stride` bytes apart.
 */
export function selectTwo(to: usize, step: usize, table: usize, stride: usize, count: i32, first: u32, second: u32): void {
  const one = i64x2.splat(1);
  const firstIndex = i64x2.splat(first);
  const secondIndex = i64x2.splat(second);
  for (let at: usize = 0; at < stride; at += 80) {
    let s0: v128, s1: v128, s2: v128, s3: v128, s4: v128, t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, entry: v128;
    s0 = s1 = s2 = s3 = s4 = t0 = t1 = t2 = t3 = t4 = i64x2.splat(0);
    let from = table + at;
    let counter = i64x2.splat(0);
    for (let e = 0; e < count; e++) {
      const firstMask = i64x2.eq(counter, firstIndex);
      const secondMask = i64x2.eq(counter, secondIndex);
      entry = v128.load(from);
      s0 = i64x2.relaxed_laneselect(entry, s0, firstMask);
      t0 = i64x2.relaxed_laneselect(entry, t0, secondMask);
      entry = v128.load(from, 16);
      s1 = i64x2.relaxed_laneselect(entry, s1, firstMask);
      t1 = i64x2.relaxed_laneselect(entry, t1, secondMask);
      entry = v128.load(from, 32);
      s2 = i64x2.relaxed_laneselect(entry, s2, firstMask);
      t2 = i64x2.relaxed_laneselect(entry, t2, secondMask);
      entry = v128.load(from, 48);
      s3 = i64x2.relaxed_laneselect(entry, s3, firstMask);
      t3 = i64x2.relaxed_laneselect(entry, t3, secondMask);
      entry = v128.load(from, 64);
      s4 = i64x2.relaxed_laneselect(entry, s4, firstMask);
      t4 = i64x2.relaxed_laneselect(entry, t4, secondMask);
      counter = i64x2.add(counter, one);
      from += stride;
    }
    to = storeTwo(to, step, s0, t0);
    to = storeTwo(to, step, s1, t1);
    to = storeTwo(to, step, s2, t2);
    to = storeTwo(to, step, s3, t3);
    to = storeTwo(to, step, s4, t4);
  }
}

/** Two digits of two numbers, side by side; returns where the next go. */
@inline
function storeTwo(to: usize, step: usize, s: v128, t: v128): usize {
  v128.store(to, v128.shuffle<u64>(s, t, 0, 2));
  v128.store(to + step, v128.shuffle<u64>(s, t, 1, 3));
  return to + 2 * step;
}
