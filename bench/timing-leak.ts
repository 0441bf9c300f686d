/**
 * Does time depend on the secret? Fixed against random secrets of one length, taken in random order, compared by Welch's t-test as in
 * Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?" (2017): `node bench/timing-leak.ts`.
 *
 *   --samples N    measurements a class, about, 2000 when not given
 *   --kernel NAME  scalar, fma or fma-quad
 *
 * Each row states the smallest difference of means that this run would have called a leak, in per cent of the operation's time, so that
 * "none found" has a size. A positive control, a BigInt exponentiation that skips zero bits, must be caught: a harness that never caught
 * a leak proves nothing by passing. Exit code 1 when the control is not caught or anything else is.
 */

import { randomBytes, randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { GROUPS } from '../src/crypto/groups.ts';
import { type Crypto, type KernelName, loadCrypto } from '../src/crypto/index.ts';
import { modPow, toBigInt } from '../test/equivalence/bigint-reference.ts';

const { values: options } = parseArgs({
  options: { samples: { type: 'string', default: '2000' }, kernel: { type: 'string' } },
});
const samples = Number(options.samples);

/** Above this |t| the classes differ; the usual threshold of the method. */
const T_LEAK = 4.5;
/**
 * The slowest tenth of all measurements is interrupts and collections, not the operation. One threshold for both classes, as the paper has
 * it: a tenth of each class would move with the interruptions that happened to hit it, and Welch's t does not count that.
 */
const KEPT = 0.9;

const group = GROUPS.ffdhe2048;
const length = group.exponentByteLength;

interface Operation {
  readonly name: string;
  readonly leaks: boolean;
  /** Runs a measurement, for what is short beside the clock. */
  readonly repeat?: number;
  /** Works on a secret of `length` bytes. */
  run(secret: Uint8Array): unknown;
}

interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

function statistics(values: readonly number[], threshold: number): Statistics {
  const kept = values.filter((value) => value <= threshold);
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
  const variance = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (kept.length - 1);
  return { count: kept.length, mean, variance };
}

interface Verdict {
  readonly t: number;
  /** The difference of means that |t| = T_LEAK stands for, as a part of the mean. */
  readonly smallest: number;
  readonly microseconds: number;
}

function compare({ run, repeat = 1 }: Operation, fixed: Uint8Array): Verdict {
  // All secrets exist before the first measurement, in random order and each in memory of its own, so that nothing but their bits
  // tells the classes apart.
  const kinds = Array.from({ length: 2 * samples }, () => randomInt(2) as 0 | 1);
  const secrets = kinds.map((kind) => Uint8Array.from(kind === 0 ? fixed : randomBytes(length)));
  for (const secret of secrets.slice(0, 200)) run(secret);
  const times: [number[], number[]] = [[], []];
  kinds.forEach((kind, index) => {
    const secret = secrets[index]!;
    const start = performance.now();
    for (let i = 0; i < repeat; i++) run(secret);
    times[kind].push(((performance.now() - start) * 1000) / repeat);
  });
  const all = times.flat().sort((a, b) => a - b);
  const threshold = all[Math.floor(all.length * KEPT)]!;
  const [a, b] = [statistics(times[0], threshold), statistics(times[1], threshold)];
  const error = Math.sqrt(a.variance / a.count + b.variance / b.count);
  return { t: (a.mean - b.mean) / error, smallest: (T_LEAK * error) / a.mean, microseconds: a.mean };
}

function operations(crypto: Crypto): Operation[] {
  const peerPublicValue = crypto.publicValue('ffdhe2048', randomBytes(length));
  const other = randomBytes(length);
  const p = toBigInt(group.p());
  const base = toBigInt(peerPublicValue);
  const list: Operation[] = [
    { name: 'control: BigInt, skips zero bits', leaks: true, run: (secret) => modPow(base, toBigInt(secret), p) },
    { name: 'shared value', leaks: false, run: (secret) => crypto.sharedValue('ffdhe2048', secret, peerPublicValue) },
    { name: 'public value', leaks: false, run: (secret) => crypto.publicValue('ffdhe2048', secret) },
    {
      name: 'HMAC under the secret',
      leaks: false,
      repeat: 20,
      run: (secret) => crypto.hmacSha256(secret, peerPublicValue),
    },
  ];
  if (crypto.kernel.lanes > 1) {
    list.push({
      name: 'shared value, two at once',
      leaks: false,
      run: (secret) =>
        crypto.sharedValues('ffdhe2048', [
          { exponent: secret, peerPublicValue },
          { exponent: other, peerPublicValue },
        ]),
    });
  }
  return list;
}

const kernel = options.kernel as KernelName | undefined;
const crypto = await loadCrypto(kernel === undefined ? {} : { kernel });
crypto.warmUp(['ffdhe2048']);
console.log(`kernel ${crypto.kernel.name}; ${samples} samples a class; a leak is |t| > ${T_LEAK}\n`);
console.log(
  `${'operation'.padEnd(34)}${'fixed secret'.padEnd(16)}${'µs'.padStart(8)}${'t'.padStart(9)}  smallest leak seen`,
);

const sparse = new Uint8Array(length);
sparse[0] = 0x80;
const fixedSecrets: [string, Uint8Array][] = [
  ['one bit', sparse],
  ['all ones', new Uint8Array(length).fill(0xff)],
];
for (const operation of operations(crypto)) {
  for (const [label, fixed] of fixedSecrets) {
    const { t, smallest, microseconds } = compare(operation, fixed);
    const found = Math.abs(t) > T_LEAK;
    const verdict = found === operation.leaks ? '' : operation.leaks ? '  NOT CAUGHT' : '  LEAK?';
    if (verdict !== '') process.exitCode = 1;
    console.log(
      operation.name.padEnd(34) +
        label.padEnd(16) +
        microseconds.toFixed(1).padStart(8) +
        t.toFixed(1).padStart(9) +
        `  ${(100 * smallest).toFixed(2)} %${verdict}`,
    );
  }
}
