import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { SecurityServer } from '../../src/server/index.ts';

/** A server in a process of its own, for a test that takes its disk away; ends with its parent, and its ledger's thread when told to. */

const threads = new Set<Worker>();
process.on('worker', (worker: Worker) => {
  threads.add(worker);
  worker.once('exit', () => threads.delete(worker));
});
process.on('message', () => {
  for (const thread of threads) if (thread.threadName === 'ledger') void thread.terminate();
});

const server = await SecurityServer.start({
  configuration: {
    state: join(process.argv[2]!, 'state'),
    'first-port': 0,
    'second-ports': { kind: 'system', count: 8 },
    groups: ['ffdhe2048'],
    threads: 1,
  },
});
const { ledger, state } = server;
const peppers = { current: state.pepperVersion, byVersion: state.peppers };
const profile = { email: 'alice@example.com' };
const credential = new Uint8Array(randomBytes(32));
const fields = [{ tag: 'email', value: Buffer.from(profile.email) }];
for (const id of ['alice', 'bob']) {
  await ledger.enroll({ id, ...digestIdentity(peppers, { customerId: id, profile: fields, credential }) });
  await ledger.openAccount({ id: `${id}.eur`, owner: id, currency: 'EUR' });
}
await ledger.fund({ account: 'alice.eur', amount: 1_000_00n, transactionId: randomBytes(16) });
process.once('disconnect', () => void server.stop({ drainMs: 0 }));
process.send!({
  port: server.address.port,
  ledgerPath: state.ledgerPath,
  hostKey: Buffer.from(state.hostPublicKey).toString('hex'),
  credential: Buffer.from(credential).toString('hex'),
  profile,
});
