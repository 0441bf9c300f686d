/** What one session moves and asks for: bytes, messages, pool jobs and tasks, ledger commits. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { openBenchServer } from '../bench-server.ts';
import type { BenchCount } from '../subject.ts';

interface Traffic {
  readonly connections: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly receivedMessages: number;
  readonly batches: number;
  readonly jobs: number;
  readonly commits: number;
}

export function sessionCounts(parent: string): BenchCount[] {
  return (['handshake', 'payment'] as const).flatMap((workload) => {
    const measured = once(() => measure(parent, workload));
    const count = (what: string, unit: string, of: (traffic: Traffic) => number): BenchCount => ({
      name: `${unit}, ${workload}`,
      what: `${what} in one session (${workload})`,
      unit,
      count: async () => of(await measured()),
    });
    return [
      count('connections', 'connections', (traffic) => traffic.connections),
      count('bytes that the customer sends', 'bytes sent', (traffic) => traffic.sentBytes),
      count('bytes that the customer receives', 'bytes received', (traffic) => traffic.receivedBytes),
      count('frames that the customer receives', 'messages received', (traffic) => traffic.receivedMessages),
      count('tasks of the piscina pool', 'pool tasks', (traffic) => traffic.batches),
      count('jobs in those tasks', 'pool jobs', (traffic) => traffic.jobs),
      count('commits of the ledger', 'commits', (traffic) => traffic.commits),
    ];
  });
}

async function measure(parent: string, workload: string): Promise<Traffic> {
  const bench = await openBenchServer(parent);
  try {
    // The first session makes what is made once.
    await bench.session(workload);
    await bench.idle();
    const before = bench.server.gauges;
    const sockets: Socket[] = [];
    const received = new Map<Socket, Buffer[]>();
    const onSocket = (message: unknown): void => {
      const { socket } = message as { readonly socket: Socket };
      sockets.push(socket);
      const chunks: Buffer[] = [];
      received.set(socket, chunks);
      socket.on('data', (bytes: Buffer) => chunks.push(bytes));
    };
    subscribe('net.client.socket', onSocket);
    await bench.session(workload);
    await bench.idle();
    unsubscribe('net.client.socket', onSocket);
    const after = bench.server.gauges;
    const sum = (of: (socket: Socket) => number): number => sockets.reduce((total, socket) => total + of(socket), 0);
    return {
      connections: sockets.length,
      sentBytes: sum((socket) => socket.bytesWritten),
      receivedBytes: sum((socket) => socket.bytesRead),
      receivedMessages: sum((socket) => framesIn(Buffer.concat(received.get(socket)!))),
      batches: after.crypto.batches - before.crypto.batches,
      jobs: after.crypto.jobs - before.crypto.jobs,
      commits: after.ledger.commits - before.ledger.commits,
    };
  } finally {
    await bench.close();
  }
}

/** docs/PROTOCOL.md section 2: type, version, length in two bytes, body. */
function framesIn(bytes: Buffer): number {
  let frames = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) frames += 1;
  return frames;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  const cell: { value?: Promise<T> } = {};
  return () => {
    cell.value ??= make();
    return cell.value;
  };
}
