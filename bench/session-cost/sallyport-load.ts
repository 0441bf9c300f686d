import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GroupName } from '../../src/crypto/index.ts';
import { Customer, type CustomerIdentity, DEFAULT_POLICY } from '../../src/customer/index.ts';
import { type CpuReading, runSessions, ServedProcess } from './served-process.ts';
import type { CostMeter } from './tls-load.ts';

/** Complete sessions: two connections, handshake with ML-KEM-768, profile check, one durable transfer, one signed receipt. */
export async function sallyportMeter(
  group: GroupName,
  concurrency: number,
  kernel: 'standard' | 'quads' = 'standard',
): Promise<CostMeter> {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-cost-'));
  const server = await ServedProcess.start(new URL('./sallyport-server.ts', import.meta.url), {
    state: join(state, 'state'),
    group,
    kernel,
  });
  const { port, hostKey, credential } = server.greeting as { port: number; hostKey: string; credential: string };
  const identity: CustomerIdentity = {
    customerId: 'alice',
    profile: { born: '1990-01-31', email: 'alice@example.com' },
    credential: Buffer.from(credential, 'hex'),
    server: { host: '127.0.0.1', port },
    hostKey: new Uint8Array(Buffer.from(hostKey, 'hex')),
    policy: { ...DEFAULT_POLICY, groups: [group], kems: ['ML-KEM-768'], aeads: ['AES-256-GCM'] },
  };
  const session = async (): Promise<void> => {
    await using customer = new Customer(identity, { retryForMs: 0, idleMs: 0 });
    const payment = await customer.pay({ from: 'alice.eur', to: 'alice.savings', amount: '0.01', currency: 'EUR' });
    if (payment.status !== 'committed') throw new Error(`the payment was ${payment.status}`);
  };
  const byThread: Record<string, number> = {};
  return {
    byThread,
    name: kernel === 'quads' ? `Sallyport ${group} quads` : `Sallyport ${group}`,
    async measure(count) {
      const before = await server.cpu();
      await runSessions(count, concurrency, session);
      const after = await settled(server, before.sessions + count);
      for (const [kind, us] of Object.entries(after.threadsUs ?? {}))
        byThread[kind] = (us - (before.threadsUs?.[kind] ?? 0)) / count;
      return (after.cpuUs - before.cpuUs) / count;
    },
    async stop() {
      await server.stop();
      rmSync(state, { recursive: true });
    },
  };
}

/** The reading after the server has seen the last session's end, which it counts when the socket is gone. */
async function settled(server: ServedProcess, sessions: number): Promise<CpuReading> {
  for (let tries = 0; tries < 1_000; tries++) {
    const reading = await server.cpu();
    if (reading.sessions === sessions) return reading;
    if (reading.sessions > sessions) throw new Error(`${reading.sessions} sessions instead of ${sessions}`);
  }
  throw new Error('the server did not see every session end');
}
