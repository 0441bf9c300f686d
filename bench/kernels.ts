/**
 * The crypto core against node:crypto, gmp-wasm and BigInt, interleaved in one process, so that only ratios count: `node bench/kernels.ts`.
 *
 *   --quads        let the kernel of four numbers compete (switches on V8's experimental revectorization)
 *   --kernel NAME  scalar, fma or fma-quad
 *   --rounds N     rounds of every measurement, 60 when not given
 *   --json FILE    also writes the rows as JSON
 *
 * Conversions, range checks and canonical output are included. Each measurement is the fastest of its rounds; every result is checked
 * against node:crypto's before it is timed. Node's exponentiation is the cheaper of deriving a secret and generating a key.
 */

import { createHmac, diffieHellman, generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { GROUP_NAMES, GROUPS, type GroupName } from '../src/crypto/groups.ts';
import { type Crypto, type KernelName, loadCrypto } from '../src/crypto/index.ts';
import {
  beginKeySchedule,
  customerFinished,
  FINISHED_MAC_BYTES,
  sessionKeys,
  wipeKeySchedule,
} from '../src/crypto/key-schedule.ts';
import { opensslPrivateKey, opensslPublicKey, opensslSharedValue } from '../test/equivalence/openssl-reference.ts';
import { bigIntExponentiation, gmpExponentiation } from './other-arithmetic.ts';

const { values: options } = parseArgs({
  options: {
    quads: { type: 'boolean', default: false },
    kernel: { type: 'string' },
    rounds: { type: 'string', default: '60' },
    json: { type: 'string' },
  },
});
const rounds = Number(options.rounds);

interface Measurement {
  readonly name: string;
  /** How many operations one call performs. */
  readonly count: number;
  readonly call: () => unknown;
}

interface Row {
  readonly scope: string;
  readonly operation: string;
  readonly microseconds: number;
  readonly nodeMicroseconds: number;
  readonly ratio: number;
  /** How many times as fast as gmp-wasm and as BigInt with any base; of shared values. */
  readonly overGmp?: number;
  readonly overBigInt?: number;
}

/** The fastest time an operation of each measurement took, in microseconds; all measurements take turns in each round. */
function measure(measurements: readonly Measurement[], callsPerRound: number): Map<string, number> {
  const best = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, count, call } of measurements) {
      const start = performance.now();
      for (let i = 0; i < callsPerRound; i++) call();
      const each = ((performance.now() - start) * 1000) / callsPerRound / count;
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, each));
    }
  }
  return best;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`${what}: not what node:crypto computes`);
}

async function benchGroup(crypto: Crypto, comb: Crypto, name: GroupName): Promise<Row[]> {
  const group = GROUPS[name];
  const { lanes } = crypto.kernel;
  const exponent = randomBytes(group.exponentByteLength);
  const peerPublicValue = crypto.publicValue(name, randomBytes(group.exponentByteLength));
  const privateKey = opensslPrivateKey(group, exponent);
  const publicKey = opensslPublicKey(group, peerPublicValue);
  const prime = Buffer.from(group.p());
  const pairs = (count: number) => Array.from({ length: count }, () => ({ exponent, peerPublicValue }));
  const exponents = (count: number) => Array<Uint8Array>(count).fill(exponent);

  const expected = Buffer.from(opensslSharedValue(group, exponent, peerPublicValue));
  check(expected.equals(crypto.sharedValue(name, exponent, peerPublicValue)), 'shared value');
  for (const value of crypto.sharedValues(name, pairs(lanes)))
    check(expected.equals(value as Uint8Array), 'shared values');
  const [gmp, bigInt] = [await gmpExponentiation(group), bigIntExponentiation(group)];
  check(expected.equals(gmp(exponent, peerPublicValue)), 'shared value of gmp-wasm');
  check(expected.equals(bigInt(exponent, peerPublicValue)), 'shared value of BigInt');
  const generator = new Uint8Array(group.byteLength).fill(2, -1);
  const ownPublicValue = Buffer.from(opensslSharedValue(group, exponent, generator));
  for (const core of [crypto, comb]) {
    for (const value of core.publicValues(name, exponents(lanes + 1))) {
      check(ownPublicValue.equals(value as Uint8Array), 'public values');
    }
  }

  const measurements: Measurement[] = [
    { name: 'node secret', count: 1, call: () => diffieHellman({ privateKey, publicKey }) },
    { name: 'node key', count: 1, call: () => generateKeyPairSync('dh', { prime, generator: 2 }) },
    { name: 'gmp-wasm', count: 1, call: () => gmp(exponent, peerPublicValue) },
    { name: 'BigInt', count: 1, call: () => bigInt(exponent, peerPublicValue) },
    { name: 'shared value, one', count: 1, call: () => crypto.sharedValue(name, exponent, peerPublicValue) },
    { name: 'public value, one', count: 1, call: () => crypto.publicValue(name, exponent) },
    { name: 'public value, one, comb', count: 1, call: () => comb.publicValue(name, exponent) },
  ];
  for (let count = 2; count <= lanes; count *= 2) {
    const [items, secrets] = [pairs(count), exponents(count)];
    measurements.push(
      { name: `shared value, ${count} at once`, count, call: () => crypto.sharedValues(name, items) },
      { name: `public value, ${count} at once`, count, call: () => crypto.publicValues(name, secrets) },
    );
  }
  const best = measure(measurements, 3);
  const node = Math.min(best.get('node secret')!, best.get('node key')!);
  const others = { gmp: best.get('gmp-wasm')!, bigInt: best.get('BigInt')! };
  const rows = measurements.slice(4).map(({ name: operation }): Row => {
    const microseconds = best.get(operation)!;
    const measured = row(name, operation, microseconds, node);
    if (!operation.startsWith('shared value')) return measured;
    return { ...measured, overGmp: others.gmp / microseconds, overBigInt: others.bigInt / microseconds };
  });
  for (let count = 1; count <= lanes; count *= 2) {
    const label = count === 1 ? 'one' : `${count} at once`;
    const sum = best.get(`shared value, ${label}`)! + best.get(`public value, ${label}`)!;
    rows.push(row(name, `handshake, ${label}`, sum, 2 * node));
  }
  return rows;
}

function row(scope: string, operation: string, microseconds: number, nodeMicroseconds: number): Row {
  return { scope, operation, microseconds, nodeMicroseconds, ratio: nodeMicroseconds / microseconds };
}

/**
 * A session's whole key schedule as the server does it (src/crypto/arrival-keys.ts), for `count` sessions that arrive together: both
 * hashes of a transcript of 3.6 KB, PRK, four keys and ivs, two finished MACs.
 */
function benchKeySchedule(crypto: Crypto): Row[] {
  const sessions = Array.from({ length: 4 }, () => ({
    transcript: randomBytes(3600),
    sharedValue: randomBytes(384),
    kemSecret: randomBytes(32),
  }));
  const ours = (count: number): Uint8Array[][] => {
    const some = sessions.slice(0, count);
    const hashes = crypto.sha256Prefixes(
      some.map(({ transcript }) => ({ data: transcript, prefixLength: transcript.length - FINISHED_MAC_BYTES })),
    );
    return some.map(({ sharedValue, kemSecret }, index) => {
      const schedule = beginKeySchedule(crypto, hashes[index]!.prefix, sharedValue, kemSecret);
      const finished = customerFinished(crypto, schedule);
      const { customer, server, serverFinished } = sessionKeys(crypto, schedule, hashes[index]!.whole);
      wipeKeySchedule(schedule);
      return [finished, customer.key, customer.iv, server.key, server.iv, serverFinished];
    });
  };
  const nodeHmac = (key: Uint8Array, ...parts: Uint8Array[]): Buffer => {
    const mac = createHmac('sha256', key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  };
  const one = Uint8Array.of(1);
  const nodes = (count: number): Uint8Array[][] =>
    sessions.slice(0, count).map(({ transcript, sharedValue, kemSecret }) => {
      const th1 = hash('sha256', transcript.subarray(0, -FINISHED_MAC_BYTES), 'buffer');
      const prk = nodeHmac(th1, sharedValue, kemSecret);
      const expand = (label: string, length: number): Buffer =>
        nodeHmac(prk, Buffer.from(`sallyport/1 ${label}\0`, 'latin1'), th1, one).subarray(0, length);
      const finished = nodeHmac(expand('customer finished', 32), th1);
      const th2 = hash('sha256', transcript, 'buffer');
      const keys = ['customer', 'server'].flatMap((side) => [expand(`${side} key`, 32), expand(`${side} iv`, 12)]);
      return [finished, ...keys, nodeHmac(expand('server finished', 32), th2)];
    });
  const counts = [1, 2, 4];
  for (const count of counts) {
    const expected = nodes(count).flat();
    for (const [index, value] of ours(count).flat().entries()) {
      check(Buffer.compare(value, expected[index]!) === 0, 'key schedule');
    }
  }
  const best = measure(
    counts.flatMap((count) => [
      { name: `${count}`, count, call: () => ours(count) },
      { name: `node ${count}`, count, call: () => nodes(count) },
    ]),
    50,
  );
  return counts.map((count) => {
    const label = count === 1 ? 'one' : `${count} at once`;
    return row('hashes', `key schedule, ${label}`, best.get(`${count}`)!, best.get(`node ${count}`)!);
  });
}

function printTable(rows: readonly Row[]): void {
  const header = ['', 'operation', 'µs', 'node:crypto µs', 'times as fast', 'as gmp-wasm', 'as BigInt'];
  const cells = rows.map(({ scope, operation, microseconds, nodeMicroseconds, ratio, overGmp, overBigInt }) => [
    scope,
    operation,
    microseconds.toFixed(1),
    nodeMicroseconds.toFixed(1),
    ratio.toFixed(2),
    overGmp?.toFixed(1) ?? '',
    overBigInt?.toFixed(1) ?? '',
  ]);
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((line) => line[column]!.length)));
  for (const line of [header, ...cells]) {
    const padded = line.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    console.log(padded.join('  ').trimEnd());
  }
}

const kernel = options.kernel as KernelName | undefined;
const choice = { quads: options.quads, ...(kernel === undefined ? {} : { kernel }) };
const crypto = await loadCrypto(choice);
const comb = await loadCrypto({ ...choice, fixedBase: 'comb' });
crypto.warmUp();
comb.warmUp();
console.log(
  `kernel ${crypto.kernel.name}, ${crypto.kernel.lanes} at once; Node ${process.versions.node}; ${cpus()[0]?.model}`,
);
for (const { name, reason } of crypto.kernel.rejected) console.log(`not ${name}: ${reason}`);
const rows: Row[] = [];
for (const name of GROUP_NAMES) rows.push(...(await benchGroup(crypto, comb, name)));
rows.push(...benchKeySchedule(crypto));
printTable(rows);
if (options.json !== undefined) {
  const report = { kernel: crypto.kernel, node: process.versions.node, cpu: cpus()[0]?.model, rows };
  writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
