import { connect } from 'node:tls';
import { generate } from 'selfsigned';
import { runSessions, ServedProcess } from './served-process.ts';
import type { TlsVariant } from './tls-variants.ts';

const MESSAGE = Buffer.alloc(256, 0x5a);

/** One full handshake (no resumption) and one echo, checked. */
function tlsSession(port: number, variant: TlsVariant): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...variant.options, host: '127.0.0.1', port, rejectUnauthorized: false });
    const received: Buffer[] = [];
    socket.on('secureConnect', () => {
      if (socket.isSessionReused()) reject(new Error('the session was resumed'));
      socket.write(MESSAGE);
    });
    socket.on('data', (data: Buffer) => received.push(data));
    socket.on('end', () => socket.end());
    socket.on('close', () =>
      Buffer.concat(received).equals(MESSAGE) ? resolve() : reject(new Error(`${variant.name}: the echo differs`)),
    );
    socket.on('error', reject);
  });
}

export interface CostMeter {
  readonly name: string;
  /** CPU time of the server process per session, in microseconds, over `count` sessions. */
  measure(count: number): Promise<number>;
  /** The last measure by kind of thread, where it is known: CPU time per session, in microseconds. */
  readonly byThread?: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export async function tlsMeter(variant: TlsVariant, concurrency: number): Promise<CostMeter> {
  const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    ...(variant.certificate === 'ec' ? { keyType: 'ec', curve: 'P-256' } : { keyType: 'rsa', keySize: 2048 }),
  });
  const server = await ServedProcess.start(new URL('./tls-server.ts', import.meta.url), {
    variant: variant.name,
    key: pem.private,
    cert: pem.cert,
  });
  const port = server.greeting.port as number;
  return {
    name: variant.name,
    async measure(count) {
      const before = await server.cpu();
      await runSessions(count, concurrency, () => tlsSession(port, variant));
      const after = await server.cpu();
      if (after.sessions - before.sessions !== count)
        throw new Error(`${variant.name}: ${after.sessions - before.sessions} sessions instead of ${count}`);
      return (after.cpuUs - before.cpuUs) / count;
    },
    stop: () => server.stop(),
  };
}
