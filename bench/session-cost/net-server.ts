/**
 * A bare node:net server in a process of its own: one message in, one out, closed. Its parent asks for its CPU time.
 * IPC: any start message; answers {port}; 'cpu' answers {cpuUs, sessions}.
 */
import { createServer } from 'node:net';

const counts = { sessions: 0 };
const ANSWER = Buffer.alloc(512, 0x5a);

function start(): void {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => {
      counts.sessions += 1;
      socket.write(ANSWER);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    process.send!({ port: address.port });
  });
}

process.on('message', (message: object | 'cpu') => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send!({ cpuUs: user + system, sessions: counts.sessions });
  } else {
    start();
  }
});
process.on('disconnect', () => process.exit(0));
