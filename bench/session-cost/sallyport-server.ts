/**
 * A Sallyport server in a process of its own, with one customer enrolled and funded. Its parent asks for its CPU time.
 * IPC: start message {state, group, kernel}; answers {port, hostKey, credential}; 'cpu' answers {cpuUs, sessions, threadsUs}.
 */
import { randomBytes } from 'node:crypto';
import type { GroupName } from '../../src/crypto/index.ts';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { SecurityServer } from '../../src/server/index.ts';
import { threadTimes } from './thread-times.ts';

interface Start {
  readonly state: string;
  readonly group: GroupName;
  readonly kernel: 'standard' | 'quads';
}

const PROFILE = [
  { tag: 'born', value: Buffer.from('1990-01-31') },
  { tag: 'email', value: Buffer.from('alice@example.com') },
];
const counts = { sessions: 0 };

async function start({ state, group, kernel }: Start): Promise<void> {
  const server = await SecurityServer.start({
    configuration: { state, 'first-port': 0, 'second-ports': { kind: 'system', count: 256 }, groups: [group], kernel },
  });
  server.on('session-end', ({ reason, transactions }) => {
    if (reason === 'completed' && transactions === 1) counts.sessions += 1;
  });
  const credential = randomBytes(32);
  const peppers = { current: server.state.pepperVersion, byVersion: server.state.peppers };
  await server.ledger.enroll({
    id: 'alice',
    ...digestIdentity(peppers, { customerId: 'alice', profile: PROFILE, credential }),
  });
  for (const account of ['alice.eur', 'alice.savings'])
    await server.ledger.openAccount({ id: account, owner: 'alice', currency: 'EUR' });
  await server.ledger.fund({ account: 'alice.eur', amount: 1_000_000_000n, transactionId: randomBytes(16) });
  process.send!({
    port: server.address.port,
    hostKey: Buffer.from(server.state.hostPublicKey).toString('hex'),
    credential: credential.toString('hex'),
  });
}

process.on('message', (message: Start | 'cpu') => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send!({ cpuUs: user + system, sessions: counts.sessions, threadsUs: threadTimes() });
  } else {
    void start(message);
  }
});
process.on('disconnect', () => process.exit(0));
