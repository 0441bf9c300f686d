/** What Node itself needs for a listener and for a connection: a process that has nothing else. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { answerQuestions } from '../actor.ts';
import { readMemory } from './memory-reading.ts';

const listeners: Server[] = [];
const accepted = new Set<Socket>();

async function listen(): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted.add(socket);
    socket.on('data', () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => accepted.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

answerQuestions({
  /** Opens `count` more listeners. */
  listen: async ({ count }: { readonly count: number }) => {
    for (let opened = 0; opened < count; opened++) listeners.push(await listen());
  },
  /** The port of a listener for connections. */
  port: async () => {
    const server = await listen();
    listeners.push(server);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listener has a port');
    return address.port;
  },
  accepted: () => accepted.size,
  memory: () => readMemory(),
});
