/**
 * `npm run bench:identity-timing -- [--tries 4000] [--sessions 400] [--json FILE]`: can an unknown customer, a wrong profile and a wrong
 * credential be told apart by how long the refusal takes? Twice: at the server's identity desk, asked in-process through the real ledger's thread,
 * and over sockets, from AUTH sent to AUTH_RESULT received. Tries of all classes are mixed at random; pairs are compared by Welch's t after
 * the slowest tenth (interrupts, collections) is cropped, as dudect does. A positive control in each says that a difference would be seen:
 * at the desk a comparison that leaves early, over sockets a profile of sixteen long fields in place of two.
 */

import { randomBytes, randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadCrypto } from '../src/crypto/index.ts';
import { type PepperRing, verifyIdentity } from '../src/ledger/identity.ts';
import type { LedgerService } from '../src/ledger/service.ts';
import { IdentityDesk } from '../src/server/identity-desk.ts';
import type { Auth } from '../src/wire/auth.ts';
import { Stage } from '../test/e2e/stage.ts';
import { type Credentials, openSession, Session } from '../test/hostile/attacker.ts';

/** dudect's bound: beyond it two classes differ. */
const T_MAX = 4.5;
const CROP = 0.9;

interface Comparison {
  readonly where: string;
  readonly pair: string;
  readonly control: boolean;
  readonly tries: number;
  readonly mediansUs: readonly [number, number];
  readonly t: number;
}

const { values } = parseArgs({
  options: {
    tries: { type: 'string', default: '4000' },
    sessions: { type: 'string', default: '400' },
    json: { type: 'string' },
  },
});

function cropped(samples: readonly number[]): number[] {
  return samples.toSorted((a, b) => a - b).slice(0, Math.floor(samples.length * CROP));
}

function welch(a: readonly number[], b: readonly number[]): number {
  const moments = (samples: readonly number[]) => {
    const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
    const variance = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (samples.length - 1);
    return { mean, error: variance / samples.length };
  };
  const [first, second] = [moments(a), moments(b)];
  return (first.mean - second.mean) / Math.sqrt(first.error + second.error);
}

/** Times `tries` of every class, mixed; in microseconds. */
async function sample<Class extends string>(
  classes: readonly Class[],
  tries: number,
  time: (each: Class) => Promise<number>,
): Promise<Record<Class, number[]>> {
  const samples = Object.fromEntries(classes.map((each) => [each, [] as number[]])) as Record<Class, number[]>;
  const order = Array.from({ length: tries * classes.length }, (_, index) => classes[index % classes.length]!);
  for (let last = order.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  for (const each of order) samples[each].push(await time(each));
  return samples;
}

function compare<Class extends string>(
  where: string,
  samples: Record<Class, number[]>,
  pairs: readonly (readonly [Class, Class, 'control'?])[],
): Comparison[] {
  return pairs.map(([one, other, control]) => {
    const [a, b] = [cropped(samples[one]), cropped(samples[other])];
    const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)]!;
    return {
      where,
      pair: `${one} / ${other}`,
      control: control === 'control',
      tries: samples[one].length,
      mediansUs: [median(a), median(b)],
      t: welch(a, b),
    };
  });
}

const hashing = await loadCrypto();
const stage = await Stage.open({ groups: ['ffdhe2048'], 'second-ports': { kind: 'system', count: 64 } });
const identity = await stage.enroll('alice', 1_00n);
// A ledger of some size, so that a look-up is one.
for (let count = 0; count < 200; count++) await stage.enroll(`customer-${count}`);

const DESK_CLASSES = [
  'unknown customer',
  'wrong profile',
  'wrong credential',
  'wrong profile, again',
  'unknown, leaving early',
] as const;

async function atTheDesk(tries: number): Promise<Comparison[]> {
  const { ledger, state } = stage.server;
  const peppers: PepperRing = { current: state.pepperVersion, byVersion: state.peppers };
  const desk = new IdentityDesk(ledger, peppers, hashing.hmacSha256);
  const leaky = async (service: Pick<LedgerService, 'findCustomers'>, presented: Auth): Promise<boolean> => {
    const [record] = await service.findCustomers([presented.customerId]);
    return record !== undefined && verifyIdentity(peppers, record, presented);
  };
  const samples = await sample(DESK_CLASSES, tries, async (each) => {
    const wrongProfile = each.startsWith('wrong profile');
    const other = randomBytes(32); // made for every class: what it costs must not tell them apart
    const presented: Auth = {
      // As long as the known one's, as whoever asks would choose it.
      customerId: each.startsWith('unknown') ? 'malic' : 'alice',
      profile: [
        { tag: 'born', value: Buffer.from(wrongProfile ? '1990-02-01' : '1990-01-31') },
        { tag: 'email', value: Buffer.from('alice@example.com') },
      ],
      credential: Uint8Array.from(each === 'wrong credential' ? other : identity.credential),
    };
    const begun = process.hrtime.bigint();
    const verified = each === 'unknown, leaving early' ? await leaky(ledger, presented) : await desk.verify(presented);
    const us = Number(process.hrtime.bigint() - begun) / 1_000;
    if (verified) throw new Error('a wrong identity was verified');
    return us;
  });
  return compare('identity desk', samples, [
    ['unknown customer', 'wrong profile'],
    ['unknown customer', 'wrong credential'],
    ['wrong profile', 'wrong credential'],
    ['wrong profile', 'wrong profile, again'],
    ['unknown customer', 'unknown, leaving early', 'control'],
  ]);
}

const SOCKET_CLASSES = ['unknown customer', 'wrong profile', 'wrong credential', 'sixteen long fields'] as const;

async function overSockets(tries: number): Promise<Comparison[]> {
  const { customerId, credential, profile } = identity;
  const long = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`field-${index}`, 'x'.repeat(256)]));
  const shown: Record<(typeof SOCKET_CLASSES)[number], () => Credentials> = {
    'unknown customer': () => ({ customerId: 'malic', credential, profile }),
    'wrong profile': () => ({ customerId, credential, profile: { ...profile, born: '1990-02-01' } }),
    'wrong credential': () => ({ customerId, credential: other, profile }),
    'sixteen long fields': () => ({ customerId, credential, profile: long }),
  };
  const other = randomBytes(32);
  const samples = await sample(SOCKET_CLASSES, tries, async (each) => {
    const session = await Session.claim(await openSession(stage.server.address.port));
    if ((await session.next()) !== 'FINISHED') throw new Error('no keys');
    const credentials = shown[each]();
    const begun = process.hrtime.bigint();
    const result = await session.authenticate(credentials).next();
    const us = Number(process.hrtime.bigint() - begun) / 1_000;
    if (result !== 'AUTH_RESULT 9') throw new Error(`refused otherwise: ${result}`);
    session.link.reset();
    return us;
  });
  return compare('over sockets', samples, [
    ['unknown customer', 'wrong profile'],
    ['unknown customer', 'wrong credential'],
    ['wrong profile', 'wrong credential'],
    ['wrong profile', 'sixteen long fields', 'control'],
  ]);
}

try {
  await atTheDesk(200); // warms up
  const comparisons = [...(await atTheDesk(Number(values.tries))), ...(await overSockets(Number(values.sessions)))];
  for (const { where, pair, control, tries, mediansUs, t } of comparisons) {
    const [one, other] = mediansUs.map((us) => us.toFixed(1));
    const right = control ? Math.abs(t) > T_MAX : Math.abs(t) < T_MAX;
    const told = control
      ? right
        ? 'seen, as it must be'
        : 'NOT SEEN: this run proves nothing'
      : right
        ? 'not to be told apart'
        : 'DIFFERENT';
    console.log(
      `${where.padEnd(14)} ${pair.padEnd(46)} ${tries} tries  ${one} / ${other} us  t = ${t.toFixed(2).padStart(7)}  ${control ? 'control: ' : ''}${told}`,
    );
    if (!right) process.exitCode = 1;
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(comparisons, undefined, 2)}\n`);
} finally {
  await stage[Symbol.asyncDispose]();
}
