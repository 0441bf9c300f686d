/** Seeded randomness for load: a run can be repeated arrival by arrival. Never for secrets. */

/** A source of uniform numbers in [0, 1), 53 bits each. */
export type Random = () => number;

/** xoshiro128** (Blackman and Vigna, 2018), its state filled by a mixer of another kind, as its authors advise. `seed` is a whole number. */
export function seededRandom(seed: number): Random {
  const expand = mixer32(seed);
  let a = expand();
  let b = expand();
  let c = expand();
  let d = expand();
  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  // 27 and 26 bits make the 53 of a double's significand.
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

/** An exponentially distributed waiting time with mean 1. */
export function exponential(random: Random): number {
  return -Math.log1p(-random());
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** A Weyl sequence through a 32-bit finalizer: neighbouring seeds give unrelated states. */
function mixer32(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 0x100000000)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
}
