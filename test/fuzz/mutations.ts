/** Inputs out of inputs: the usual small cruelties, by a seeded generator, so that every run can be repeated. */

/** xorshift32: fast, seeded, and good enough to choose what to break. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9;
  }

  /** 0 to `sides` - 1. */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % sides;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.roll(items.length)]!;
  }
}

const INTERESTING = [
  0x00, 0x01, 0x02, 0x0a, 0x20, 0x22, 0x30, 0x3c, 0x5c, 0x7b, 0x7f, 0x80, 0xbf, 0xc0, 0xef, 0xfe, 0xff,
];
const LENGTHS = [0, 1, 2, 15, 16, 17, 32, 64, 127, 128, 129, 255, 256, 257, 512, 1184, 4096, 61_440, 61_441, 65_535];

type Mutation = (input: Buffer, dice: Dice, corpus: readonly Buffer[], words: readonly Buffer[]) => Buffer;

function at(input: Buffer, dice: Dice): number {
  return dice.roll(input.length + 1);
}

function inserted(input: Buffer, place: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, place), bytes, input.subarray(place)]);
}

function changed(input: Buffer, dice: Dice, change: (byte: number) => number): Buffer {
  if (input.length === 0) return Buffer.of(dice.roll(256));
  const output = Buffer.from(input);
  const place = dice.roll(output.length);
  output[place] = change(output[place]!);
  return output;
}

const MUTATIONS: readonly Mutation[] = [
  (input, dice) => changed(input, dice, (byte) => byte ^ (1 << dice.roll(8))),
  (input, dice) => changed(input, dice, () => dice.roll(256)),
  (input, dice) => changed(input, dice, () => dice.pick(INTERESTING)),
  (input, dice) => changed(input, dice, (byte) => byte + 1 - 2 * dice.roll(2)),
  (input, dice) => inserted(input, at(input, dice), Buffer.of(dice.pick(INTERESTING))),
  (input, dice) => {
    const start = at(input, dice);
    return Buffer.concat([input.subarray(0, start), input.subarray(start + 1 + dice.roll(8))]);
  },
  (input, dice) => input.subarray(0, at(input, dice)),
  (input, dice) => {
    const start = at(input, dice);
    return inserted(input, at(input, dice), input.subarray(start, start + 1 + dice.roll(32)));
  },
  (input, dice) => {
    if (input.length < 2) return input;
    const output = Buffer.from(input);
    output.writeUInt16BE(dice.pick(LENGTHS), dice.roll(output.length - 1));
    return output;
  },
  (input, dice, corpus) => {
    const other = dice.pick(corpus);
    return Buffer.concat([input.subarray(0, at(input, dice)), other.subarray(at(other, dice))]);
  },
  (input, dice, _, words) => (words.length === 0 ? input : inserted(input, at(input, dice), dice.pick(words))),
  (input, dice, _, words) => {
    if (words.length === 0) return input;
    const word = dice.pick(words);
    const place = at(input, dice);
    return Buffer.concat([input.subarray(0, place), word, input.subarray(place + word.length)]);
  },
];

/** One, two or four mutations of `input`. */
export function mutate(
  input: Buffer,
  dice: Dice,
  corpus: readonly Buffer[],
  words: readonly Buffer[],
  bytesMax: number,
): Buffer {
  let output = input;
  for (let left = dice.pick([1, 1, 2, 4]); left > 0; left--) output = dice.pick(MUTATIONS)(output, dice, corpus, words);
  return output.length > bytesMax ? output.subarray(0, bytesMax) : output;
}

/** Inputs up to this long have every byte tried with every value; of longer ones this many bytes have every bit flipped. */
const WALK_WHOLE_MAX = 64;
const WALK_BYTES_MAX = 256;

/** Every neighbour of a new input, one byte away: what chance would take long to hit. */
export function* neighbours(input: Buffer): Generator<Buffer> {
  const whole = input.length <= WALK_WHOLE_MAX;
  const changes = whole ? Array.from({ length: 255 }, (_, index) => index + 1) : [1, 2, 4, 8, 16, 32, 64, 128];
  for (let place = 0; place < Math.min(input.length, WALK_BYTES_MAX); place++) {
    for (const change of changes) {
      const output = Buffer.from(input);
      output[place]! ^= change;
      yield output;
    }
  }
}
