/** What Node itself needs for a listener and for a connection, and what a second port needs that nobody has: a process with nothing else. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { PortLease } from '../../src/ports/port-lease.ts';
import { SecondPorts } from '../../src/ports/second-ports.ts';
import { answerQuestions } from '../actor.ts';
import { readMemory } from './memory-reading.ts';

const ACCEPT_MS_MAX = 10_000;
/** More than the descriptors of any process here. */
const SECOND_PORTS_MAX = 20_000;

const listeners: Server[] = [];
const accepted = new Set<Socket>();

const ports = new SecondPorts({
  host: '127.0.0.1',
  supply: { kind: 'system', count: SECOND_PORTS_MAX },
  mode: 'exclusive',
  sharedLeasesMax: 0,
  idleListenersMax: SECOND_PORTS_MAX,
  onConnection: (socket) => socket.destroy(),
});

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
  /** Leases `count` second ports that were never leased before, and gives them back: their listeners stay. */
  lease: async ({ count }: { readonly count: number }) => {
    const before = ports.listeners;
    const leases: PortLease[] = [];
    for (let leased = 0; leased < count; leased++) leases.push(await ports.lease());
    for (const lease of leases) lease.release();
    if (ports.listeners !== before + count) throw new Error(`${ports.listeners - before} of ${count} listeners stayed`);
  },
  /** The port of a listener for connections. */
  port: async () => {
    const server = await listen();
    listeners.push(server);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listener has a port');
    return address.port;
  },
  /** Answers when so many connections are open: a customer's is made before it is accepted here. */
  accepted: async ({ count }: { readonly count: number }) => {
    const deadline = performance.now() + ACCEPT_MS_MAX;
    while (accepted.size !== count) {
      if (performance.now() > deadline) throw new Error(`${accepted.size} of ${count} connections were accepted`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
  memory: () => readMemory(),
});
