/**
 * Customers that stay, in a process of their own: with a session that is open and says nothing, with an OFFER that they never follow, or
 * with no protocol at all, on a bare connection.
 */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { GROUPS } from '../../src/crypto/groups.ts';
import { generateKemKeyPair } from '../../src/crypto/kem.ts';
import { AEAD_IDS, KEM_IDS } from '../../src/crypto/suite.ts';
import type { CustomerSession } from '../../src/customer/customer-session.ts';
import { openSocketSession } from '../../src/customer/session-client.ts';
import { assert } from '../../src/errors.ts';
import type { LoadCustomer } from '../../src/load/driver.ts';
import { FRAMES } from '../../src/wire/frame.ts';
import { encodeHello } from '../../src/wire/hello.ts';
import { answerQuestions } from '../actor.ts';
import { runSessions } from '../session-cost/served-process.ts';

export interface HoldRequest {
  readonly customers: readonly LoadCustomer[];
  readonly sources: readonly string[];
  readonly count: number;
}

/** How many open at once: enough to be quick, few enough that none waits for long. */
const LANES = 16;
const NOTHING = new Uint8Array(0);

const sessions: CustomerSession[] = [];
const sockets: Socket[] = [];
const kemKey = generateKemKeyPair().publicKey;

function open({ customers, sources }: HoldRequest, index: number): CustomerSession {
  return openSocketSession(customers[index % customers.length]!.identity, {
    confirmHostKey: undefined,
    onStep: () => {},
    onHostKeys: () => {},
    localAddress: sources[index % sources.length]!,
  });
}

/** Sends a HELLO and waits for the whole OFFER; the second port is left alone. */
function takeOffer({ customers, sources }: HoldRequest, index: number): Promise<void> {
  const { server, policy } = customers[index % customers.length]!.identity;
  const hello = encodeHello({
    customerRandom: new Uint8Array(randomBytes(32)),
    claimCommitment: new Uint8Array(randomBytes(32)),
    versions: [1],
    groups: policy.groups.map((group) => GROUPS[group].id),
    kems: [KEM_IDS['ML-KEM-768']],
    aeads: [AEAD_IDS['AES-256-GCM']],
    kemKey,
    hostKeyHint: NOTHING,
    cookie: NOTHING,
    puzzleSolution: NOTHING,
  });
  return new Promise((resolve, reject) => {
    const socket = connect({ ...server, localAddress: sources[index % sources.length]!, allowHalfOpen: true });
    const received: Buffer[] = [];
    socket.on('connect', () => socket.write(hello));
    socket.on('data', (data: Buffer) => received.push(data));
    socket.on('end', () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => {
      const reply = Buffer.concat(received);
      if (reply[0] === FRAMES.OFFER.type) resolve();
      else reject(new Error(`a HELLO was not answered by an OFFER but by ${reply.subarray(0, 16).toString('hex')}`));
    });
  });
}

function connectBare(port: number, source: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: source, noDelay: true });
    socket.once('connect', () => {
      sockets.push(socket);
      resolve();
    });
    socket.once('error', reject);
  });
}

answerQuestions({
  /** Opens `count` more sessions and keeps them. */
  hold: async (request: HoldRequest) => {
    await runSessions(request.count, LANES, async (index) => {
      const session = open(request, index);
      await session.ready;
      sessions.push(session);
    });
    for (const session of sessions) assert(session.accepting, 'a session that is held is open');
  },
  /** Opens and closes `count` sessions. */
  visit: (request: HoldRequest) =>
    runSessions(request.count, LANES, async (index) => {
      const session = open(request, index);
      await session.ready;
      await session.close();
    }),
  /** Takes `count` offers. */
  offers: (request: HoldRequest) => runSessions(request.count, LANES, (index) => takeOffer(request, index)),
  /** Opens `count` more connections without protocol and keeps them. */
  connect: ({ port, count, sources }: { readonly port: number; readonly count: number; readonly sources: string[] }) =>
    runSessions(count, LANES, (index) => connectBare(port, sources[index % sources.length]!)),
});
