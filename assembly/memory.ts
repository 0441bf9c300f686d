// THE memory map. Every address in the module is one of these constants or a step from one; there is no heap and no stack in memory.
//
//   from      size      zone           owner          content                                             secret
//   0x000000  0x000400  -              nobody         zeros: a null address reads and harms nothing       no
//   0x000400  0x000c00  static data    compiler       constants of SHA-256 and the kernels                no
//   0x001000  0x000400  HASH           sha256, hmac   states, message schedule, block                     yes, wiped
//   0x002000  0x001000  EXPONENT       modexp         an exponent a lane, little endian, zero padded      yes, wiped
//   0x003000  0x008000  NUMBERS        kernel         8 numbers of 0x1000 bytes                           yes, wiped
//   0x00b000  0x001400  COLUMNS        kernel         column sums                                         yes, wiped
//   0x00d000  0x000940  HASH_FOUR      sha256-four    states, message schedule, blocks of four messages   yes, wiped
//   0x010000  0x010000  WINDOW         modexp         powers of the peer's value, for window selection    yes, wiped
//   0x020000  0x010000  STAGING_IN     caller         arguments, written by JavaScript                    yes, wiped by the caller
//   0x030000  0x010000  STAGING_OUT    caller         results, read by JavaScript                         yes, wiped by the caller
//   0x040000  0x030000  GROUPS         groups         p, R mod p, R^2, 2R of each group, per lane count   no
//   0x070000  0x400000  TABLES         modexp         fixed-base tables of the three groups               no (public powers of g)
//
// Pages that are never touched cost no resident memory: a customer that uses one group pays for one table.

export const HASH: usize = 0x1000;
export const HASH_SIZE: usize = 0x400;
export const EXPONENT: usize = 0x2000;
export const EXPONENT_SIZE: usize = 0x1000;
export const EXPONENT_LANE: usize = 0x400;
export const NUMBERS: usize = 0x3000;
export const NUMBER_SIZE: usize = 0x1000;
export const NUMBERS_SIZE: usize = 0x8000;
export const COLUMNS: usize = 0xb000;
export const COLUMNS_SIZE: usize = 0x1400;
export const HASH_FOUR: usize = 0xd000;
export const HASH_FOUR_SIZE: usize = 0x940;
export const WINDOW: usize = 0x10000;
export const STAGING_IN: usize = 0x20000;
export const STAGING_OUT: usize = 0x30000;
export const STAGING_SIZE: usize = 0x10000;
export const GROUPS: usize = 0x40000;
export const TABLES: usize = 0x70000;

/**
 * Zeros that lie before a number in its slot. The kernel of one number reads a few digits beyond both ends of its second operand and
 * of p; slots are much longer than numbers, so that there are zeros behind, too.
 */
export const PAD: usize = 0x40;

/** From p to what a group keeps besides for the kernel of that many numbers (groups.ts): the digits q, and the starts of columns. */
export const SINGLE_MULTIPLE: usize = 0xc400;
export const SINGLE_STARTS: usize = 0xcfc0;
export const PAIR_MULTIPLE: usize = 0x8800;
export const PAIR_STARTS: usize = 0xb1c0;
export const QUAD_MULTIPLE: usize = 0x6700;
export const QUAD_STARTS: usize = 0x71c0;

/** Slots of the NUMBERS zone. */
export const ACCUMULATOR: usize = NUMBERS + PAD;
export const SELECTED: usize = NUMBERS + NUMBER_SIZE + PAD;
export const QUOTIENT: usize = NUMBERS + 2 * NUMBER_SIZE + PAD;
export const BASE: usize = NUMBERS + 3 * NUMBER_SIZE + PAD;
export const ONE: usize = NUMBERS + 4 * NUMBER_SIZE + PAD;
export const SCRATCH: usize = NUMBERS + 5 * NUMBER_SIZE + PAD;
export const BYTES: usize = NUMBERS + 6 * NUMBER_SIZE;
/** Each lane's table index, a u32. */
export const INDICES: usize = NUMBERS + 7 * NUMBER_SIZE;

/**
 * Zeros what exponentiations left: exponents, numbers, and of WINDOW the `windowSize` bytes that were used. Staging belongs to the
 * caller, who wipes what it used.
 */
export function wipeExponentiation(windowSize: usize): void {
  memory.fill(EXPONENT, 0, EXPONENT_SIZE);
  memory.fill(NUMBERS, 0, NUMBERS_SIZE);
  memory.fill(COLUMNS, 0, COLUMNS_SIZE);
  memory.fill(WINDOW, 0, windowSize);
}

/** Zeros what the last hash left. */
export function wipeHash(): void {
  memory.fill(HASH, 0, HASH_SIZE);
}

/** Zeros what hashes of several messages left; those without SIMD use HASH as well. */
export function wipeHashes(): void {
  memory.fill(HASH_FOUR, 0, HASH_FOUR_SIZE);
  wipeHash();
}
