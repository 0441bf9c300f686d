/**
 * What a session does inside the process besides exponentiation, by tinybench: key schedule, records, messages, ports, identity, signatures,
 * ML-KEM; and the processor time of a durable transfer.
 *
 *   npm run bench:inside [-- --time 300] [--json FILE]
 *
 * Absolute times are this machine's; a row with a reference is followed by it, and the ratio is what to look at. Every task checks its result.
 */
import { createHash, createHmac, generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { signOffers } from '../src/crypto/identity.ts';
import { loadCrypto } from '../src/crypto/index.ts';
import { encapsulateTo, generateKemKeyPair } from '../src/crypto/kem.ts';
import { beginKeySchedule, customerFinished, sessionKeys } from '../src/crypto/key-schedule.ts';
import { digestIdentity, verifyIdentity } from '../src/ledger/identity.ts';
import { PortTable } from '../src/ports/port-table.ts';
import { openChannel, openMessage, sealMessage } from '../src/session/record-channel.ts';
import { decodeHello, encodeHello } from '../src/wire/hello.ts';
import { openBenchLedger } from './ci/subjects/ledger.ts';

const { values } = parseArgs({ options: { time: { type: 'string', default: '300' }, json: { type: 'string' } } });

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(`wrong result: ${what}`);
}

const crypto = await loadCrypto();
const bench = new Bench({ time: Number(values.time), warmupTime: 100 });

// The key schedule of one session, beside the same done with node:crypto.
const sharedValue = randomBytes(384);
const kemSecret = randomBytes(32);
const transcript = randomBytes(3_600);
const th1 = crypto.sha256(transcript);
const schedule = beginKeySchedule(crypto, th1, sharedValue, kemSecret);
const expectedFinished = Buffer.from(customerFinished(crypto, schedule));
bench.add('key schedule', () => {
  const made = beginKeySchedule(crypto, th1, sharedValue, kemSecret);
  const finished = customerFinished(crypto, made);
  check(sessionKeys(crypto, made, th1).customer.key.length === 32 && expectedFinished.equals(finished), 'key schedule');
});
const keyMaterial = Buffer.concat([sharedValue, kemSecret]);
const nodeKey = (name: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', keyMaterial, th1, Buffer.concat([Buffer.from(`sallyport/1 ${name}\0`), th1]), length));
bench.add('key schedule, node:crypto', () => {
  const finished = createHmac('sha256', nodeKey('customer finished', 32)).update(th1).digest();
  for (const side of ['customer', 'server'])
    check(nodeKey(`${side} key`, 32).length + nodeKey(`${side} iv`, 12).length === 44, 'keys');
  check(createHmac('sha256', nodeKey('server finished', 32)).update(th1).digest().length === 32, 'finished');
  check(finished.equals(expectedFinished), 'key schedule of node:crypto');
});
bench.add('transcript hash, 3600 bytes', () => check(crypto.sha256(transcript)[0] === th1[0], 'transcript hash'));
bench.add('transcript hash, node:crypto', () =>
  check(createHash('sha256').update(transcript).digest()[0] === th1[0], 'transcript hash'),
);

// Records: one of a receipt's size there and back, and the largest.
const keys = sessionKeys(crypto, schedule, th1);
for (const [name, bytes] of [
  ['record of 300 bytes, sealed and opened', 300],
  ['record of 60 KiB, sealed and opened', 61_440],
] as const) {
  const content = randomBytes(bytes);
  bench.add(name, () => {
    const sealed = sealMessage(openChannel('customer', 'AES-256-GCM', keys), 'TRANSACTION', content);
    const opened = openMessage(openChannel('server', 'AES-256-GCM', keys), sealed.bytes);
    check(opened.kind === 'message' && opened.message.content.length === bytes, name);
  });
}

// Messages.
const hello = {
  customerRandom: randomBytes(32),
  claimCommitment: randomBytes(32),
  versions: [1],
  groups: [0x0101, 0x0102],
  kems: [0x0201],
  aeads: [0x0002, 0x001d],
  kemKey: randomBytes(1184),
  hostKeyHint: randomBytes(8),
  cookie: new Uint8Array(0),
  puzzleSolution: new Uint8Array(0),
};
bench.add('HELLO, encoded and decoded', () => check(decodeHello(encodeHello(hello).subarray(4)).ok, 'HELLO'));

// Ports: a lease and a release, nearly empty and nearly full.
for (const occupied of [1_000, 9_000]) {
  const table = new PortTable(10_000);
  for (let count = 0; count < occupied; count++) table.lease(0);
  bench.add(`port leased and released, ${occupied / 100} % in use`, () => {
    const slot = table.lease(0);
    check(slot !== undefined, 'lease');
    table.release(slot!);
  });
}

// Identity: known, and unknown, which must cost the same.
const peppers = { current: 1, byVersion: new Map([[1, new Uint8Array(randomBytes(32))]]) };
const presented = {
  customerId: 'alice',
  profile: [
    { tag: 'born', value: Buffer.from('1990-01-31') },
    { tag: 'email', value: Buffer.from('alice@example.com') },
  ],
  credential: new Uint8Array(randomBytes(32)),
};
const record = { id: 'alice', status: 'active' as const, createdTimeUs: 0n, ...digestIdentity(peppers, presented) };
bench.add('identity compared, known customer', () => check(verifyIdentity(peppers, record, presented), 'identity'));
bench.add('identity compared, unknown customer', () =>
  check(!verifyIdentity(peppers, undefined, presented), 'identity'),
);

// Parts that are node:crypto's.
const { privateKey: hostKey } = generateKeyPairSync('ed25519');
const kemKey = generateKemKeyPair().publicKey;
for (const together of [1, 5, 16]) {
  const offers = Array.from({ length: together }, () => ({
    helloFrame: randomBytes(1_350),
    unsignedOffer: randomBytes(2_000),
  }));
  bench.add(together === 1 ? 'OFFER signed' : `${together} OFFERs signed together`, () =>
    check(signOffers(hostKey, offers).length === together, 'signatures'),
  );
}
bench.add('ML-KEM-768 encapsulated to a key as it came', () =>
  check(encapsulateTo(kemKey)?.ciphertext.length === 1_088, 'a ciphertext'),
);

await bench.run();
const rows = bench.tasks.map(({ name, result }) => {
  if (result.state !== 'completed')
    throw new Error(`${name}: ${'error' in result ? result.error.message : result.state}`);
  return { name, medianUs: result.latency.p50 * 1_000, rme: result.latency.rme };
});
console.log('inside the process, median of a call\n');
for (const { name, medianUs, rme } of rows)
  console.log(`${name.padEnd(46)} ${medianUs.toFixed(2).padStart(9)} µs  ±${rme.toFixed(1)} %`);

/** Receipted and durable: its time is the disk's, so it is processor time that is read. */
const transferCpuUs: Record<string, number> = {};
const ledger = await openBenchLedger(tmpdir());
try {
  for (const together of [1, 6, 64]) {
    const commits = Math.ceil(Number(values.time) / Math.sqrt(together));
    for (let count = 0; count < commits; count++) await ledger.pay(together);
    const before = process.cpuUsage();
    for (let count = 0; count < commits; count++) await ledger.pay(together);
    const { user, system } = process.cpuUsage(before);
    transferCpuUs[together] = (user + system) / commits / together;
    const name = `transfer committed and receipted, ${together} together`;
    console.log(`${name.padEnd(46)} ${transferCpuUs[together].toFixed(2).padStart(9)} µs of CPU`);
  }
} finally {
  await ledger.close();
}
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ benchmark: 'inside', node: process.version, rows, transferCpuUs }, null, 2)}\n`,
  );
