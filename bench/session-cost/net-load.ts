import { connect } from 'node:net';
import { runSessions, ServedProcess } from './served-process.ts';
import type { CostMeter } from './tls-load.ts';

/** About a HELLO; and what the server answers. */
const REQUEST = Buffer.alloc(1_350, 0x5a);
const ANSWER_BYTES = 512;

/** Connects, sends, reads to the end: what two of cost a session before anything of a protocol is in them. */
function connection(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(REQUEST));
    const state = { received: 0 };
    socket.on('data', (bytes: Buffer) => {
      state.received += bytes.length;
    });
    socket.on('error', reject);
    socket.on('close', () =>
      state.received === ANSWER_BYTES ? resolve() : reject(new Error(`${state.received} bytes were answered`)),
    );
  });
}

/** Two connections with a request and an answer each, at a bare node:net server. */
export async function bareMeter(concurrency: number): Promise<CostMeter> {
  const server = await ServedProcess.start(new URL('./net-server.ts', import.meta.url), {});
  const port = server.greeting.port as number;
  return {
    name: 'two bare connections',
    async measure(count) {
      const before = await server.cpu();
      await runSessions(count, concurrency, async () => {
        await connection(port);
        await connection(port);
      });
      const after = await server.cpu();
      if (after.sessions - before.sessions !== 2 * count) throw new Error('connections were lost');
      return (after.cpuUs - before.cpuUs) / count;
    },
    stop: () => server.stop(),
  };
}
