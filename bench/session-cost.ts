/**
 * CPU time of the server process per complete session, beside node:tls.
 *
 *   npm run bench:sessions [-- --quick] [--sessions 1500] [--rounds 5] [--concurrency 64] [--json FILE]
 *
 * Every server is a process of its own on loopback. A Sallyport session is two connections, the hybrid handshake, the profile check, one
 * durable transfer and its signed receipt; a node:tls session is one connection, a full handshake and the echo of 256 bytes; two bare
 * connections of node:net, with a request and an answer each, show what any of this costs before it is a protocol. All servers are warmed up first, then measured in turn, round by round, so that what else the machine does falls on all alike. Results are checked.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bareMeter } from './session-cost/net-load.ts';
import { sallyportMeter } from './session-cost/sallyport-load.ts';
import { type CostMeter, tlsMeter } from './session-cost/tls-load.ts';
import { TLS_VARIANTS } from './session-cost/tls-variants.ts';

const GROUPS = ['ffdhe2048', 'ffdhe3072', 'ffdhe4096'] as const;
const HYBRID = 'TLS 1.3 X25519MLKEM768';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    sessions: { type: 'string' },
    rounds: { type: 'string' },
    concurrency: { type: 'string', default: '64' },
    json: { type: 'string' },
  },
});
/** A short look has one group and one node:tls handshake with it. */
const groups = values.quick ? GROUPS.slice(1, 2) : GROUPS;
const variants = values.quick
  ? TLS_VARIANTS.filter(({ name }) => name === HYBRID || groups.some((group) => name === `TLS 1.3 ${group}`))
  : TLS_VARIANTS;
/** Sessions before the first that counts: the engine's optimizing compiler works in the server process, and must be done. */
const warmUpSessions = values.quick ? 500 : 10_000;
const sessions = Number(values.sessions ?? (values.quick ? 300 : 1_000));
const rounds = Number(values.rounds ?? 3);
const concurrency = Number(values.concurrency);

const meters: CostMeter[] = [
  ...(await Promise.all(groups.map((group) => sallyportMeter(group, concurrency)))),
  ...(await Promise.all(groups.map((group) => sallyportMeter(group, concurrency, 'quads')))),
  ...(await Promise.all(variants.map((variant) => tlsMeter(variant, concurrency)))),
  await bareMeter(concurrency),
];
const costsUs = new Map<string, number[]>(meters.map((meter) => [meter.name, []]));

try {
  for (const meter of meters) {
    console.error(`warming up ${meter.name}`);
    await meter.measure(warmUpSessions);
  }
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round} of ${rounds}`);
    for (const meter of meters) costsUs.get(meter.name)!.push(await meter.measure(sessions));
  }
} finally {
  await Promise.all(meters.map((meter) => meter.stop()));
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
const rows = meters.map(({ name, byThread }) => ({
  name,
  costUs: median(costsUs.get(name)!),
  costsUs: costsUs.get(name)!,
  byThread,
}));
const costOf = (name: string): number => rows.find((row) => row.name === name)!.costUs;

console.log(
  `CPU of the server process per session, µs: median of ${rounds} rounds of ${sessions}, ${concurrency} at a time\n`,
);
for (const { name, costUs } of rows) console.log(`${name.padEnd(26)} ${costUs.toFixed(0).padStart(7)}`);
for (const { name, byThread } of rows) {
  if (byThread === undefined || name.endsWith('quads')) continue;
  console.log(`\n${name}, last round, by thread`);
  for (const [kind, us] of Object.entries(byThread))
    if (us >= 1) console.log(`  ${kind.padEnd(72)} ${us.toFixed(0).padStart(6)}`);
}
console.log('\nSallyport’s session to the bare handshake of node:tls\n');
const ratios = ['', ' quads'].flatMap((kernel) =>
  groups.map((group) => ({
    name: `Sallyport ${group}${kernel}`,
    sameGroup: costOf(`Sallyport ${group}${kernel}`) / costOf(`TLS 1.3 ${group}`),
    x25519mlkem768: costOf(`Sallyport ${group}${kernel}`) / costOf(HYBRID),
  })),
);
for (const { name, sameGroup, x25519mlkem768 } of ratios) {
  const [same, hybrid] = [sameGroup, x25519mlkem768].map((ratio) => ratio.toFixed(2).padStart(5));
  console.log(`${name.padEnd(26)} ${same} of TLS 1.3 over the same group ${hybrid} of TLS 1.3 X25519MLKEM768`);
}
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ benchmark: 'session-cost', node: process.version, sessions, rounds, concurrency, rows, ratios }, null, 2)}\n`,
  );
}
