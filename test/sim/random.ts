/** A seeded generator (sfc32, of PractRand; 128 bits of state): the same seed gives the same run, on every machine. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    // SplitMix32 spreads the seed over the state; the first draws are thrown away, as sfc32's author asks.
    const state = { value: seed >>> 0 };
    const spread = (): number => {
      state.value = (state.value + 0x9e3779b9) >>> 0;
      const z = Math.imul(state.value ^ (state.value >>> 16), 0x85ebca6b);
      return Math.imul(z ^ (z >>> 13), 0xc2b2ae35) | 0;
    };
    this.#a = spread();
    this.#b = spread();
    this.#c = spread();
    for (let round = 0; round < 12; round++) this.u32();
  }

  u32(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** From `low` to below `high`. */
  between(low: number, high: number): number {
    return low + (this.u32() / 2 ** 32) * (high - low);
  }

  /** True about once in `n` times; never for 0. */
  oneIn(n: number): boolean {
    return n > 0 && this.below(n) === 0;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0, word = 0; at < length; at++, word >>>= 8) {
      if ((at & 3) === 0) word = this.u32();
      bytes[at] = word & 0xff;
    }
    return bytes;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)]!;
  }
}
