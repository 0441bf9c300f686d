/**
 * A node:tls server in a process of its own: full handshake, echo of one message. Its parent asks for its CPU time.
 * IPC: start message {variant, key, cert}; answers {port}; 'cpu' answers {cpuUs, sessions}.
 */
import { createServer } from 'node:tls';
import { variantNamed } from './tls-variants.ts';

interface Start {
  readonly variant: string;
  readonly key: string;
  readonly cert: string;
}

const counts = { sessions: 0 };

function start(message: Start): void {
  const server = createServer(
    { ...variantNamed(message.variant).options, key: message.key, cert: message.cert },
    (socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (data: Buffer) => {
        counts.sessions += 1;
        socket.end(data);
      });
    },
  );
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    process.send!({ port: address.port });
  });
}

process.on('message', (message: Start | 'cpu') => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send!({ cpuUs: user + system, sessions: counts.sessions });
  } else {
    start(message);
  }
});
process.on('disconnect', () => process.exit(0));
