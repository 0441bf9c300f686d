import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Connection } from '../../../src/server/connection.ts';
import type { ConnectionEffect } from '../../../src/session/connection-events.ts';
import type { Expectation, Machine } from '../../../src/session/machine.ts';
import { encodeHeader } from '../../../src/wire/frame.ts';

/** A machine of a test: told what to do by the event's name, over a real socket. */
type Effect = ConnectionEffect<'short' | 'long'> | { readonly kind: 'ended' };
type Event = { readonly kind: string; readonly name?: string };
type Behaviour = (event: Event) => readonly Effect[];

const servers: Server[] = [];
const sockets: Socket[] = [];

async function socketPair(): Promise<{ here: Socket; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const peer = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => peer.destroy());
  const [here] = await accepted;
  sockets.push(here, peer);
  return { here, peer };
}

async function connectionThat(
  behave: Behaviour,
  expects: () => Expectation = () => ({ kind: 'frames', types: ['HELLO'] }),
) {
  const { here, peer } = await socketPair();
  const heard: string[] = [];
  const broken: unknown[] = [];
  let abandoned = 0;
  const machine: Machine<null, Event, Effect> = {
    initial: null,
    step: (_, event) => {
      heard.push(event.name === undefined ? event.kind : `${event.kind} ${event.name}`);
      return { state: null, effects: behave(event) };
    },
    expects,
  };
  const connection = new Connection<null, Event, Effect, 'short' | 'long'>({
    socket: here,
    machine,
    deadlinesMs: { short: 20, long: 60_000 },
    perform: () => undefined,
    onBroken: (error) => broken.push(error),
    abandon: () => {
      abandoned += 1;
    },
    writeEvents: { blocked: { kind: 'writeBlocked' }, drained: { kind: 'writeDrained' } },
  });
  return { connection, here, peer, heard, broken, abandoned: () => abandoned };
}

const explode = (): never => {
  throw new Error('a bug');
};

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
});

describe('a connection whose machine breaks', () => {
  it.each<[string, (event: Event) => boolean, (peer: Socket, tell: () => void) => void]>([
    ['at bytes of the peer', ({ kind }) => kind === 'frameRefused', (peer) => peer.write(Buffer.alloc(4, 0xff))],
    ['at the end of the peer', ({ kind }) => kind === 'end', (peer) => peer.end()],
    ['at an answer', ({ kind }) => kind === 'answer', (_, tell) => tell()],
  ])('%s is closed and given back, once, and nothing else', async (_, breaks, provoke) => {
    const all = await connectionThat((event) => (breaks(event) ? explode() : []));
    provoke(all.peer, () => all.connection.dispatch({ kind: 'answer' }));
    await once(all.here, 'close');
    expect(all.broken).toMatchObject([{ message: 'a bug' }]);
    expect(all.abandoned()).toBe(1);
    expect(all.heard.at(-1)).toBe('lost');
  });

  it('at a deadline is closed too', async () => {
    const all = await connectionThat(({ kind }) => {
      if (kind === 'deadline') explode();
      return kind === 'begin' ? [{ kind: 'setDeadline', name: 'short' }] : [];
    });
    all.connection.dispatch({ kind: 'begin' });
    await once(all.here, 'close');
    expect(all.broken).toHaveLength(1);
    expect(all.abandoned()).toBe(1);
  });

  it('at the news that it is gone, too, is given back all the same', async () => {
    const all = await connectionThat(explode);
    all.here.destroy();
    await once(all.here, 'close');
    expect(all.broken).toHaveLength(1);
    expect(all.abandoned()).toBe(1);
  });

  it('after its end is given back no second time', async () => {
    const all = await connectionThat(({ kind }) => (kind === 'finish' ? [{ kind: 'ended' }] : explode()));
    all.connection.dispatch({ kind: 'finish' });
    all.connection.dispatch({ kind: 'answer' });
    await once(all.here, 'close');
    expect(all.broken).toHaveLength(2);
    expect(all.abandoned()).toBe(0);
  });
});

describe('a connection', () => {
  it('tells a deadline once, at its time, whatever the peer sends meanwhile', async () => {
    const all = await connectionThat(({ kind }) =>
      kind === 'begin'
        ? [
            { kind: 'setDeadline', name: 'short' },
            { kind: 'setDeadline', name: 'long' },
          ]
        : [],
    );
    const header = encodeHeader('HELLO', 100);
    all.connection.dispatch({ kind: 'begin' });
    for (const byte of header) all.peer.write(Uint8Array.of(byte));
    const dripping = setInterval(() => all.peer.write(Uint8Array.of(0)), 5);
    await expect.poll(() => all.heard).toContain('deadline short');
    clearInterval(dripping);
    expect(all.heard).toEqual(['begin', 'deadline short']);
  });

  it('forgets a deadline that was cleared, and all of them when it is destroyed', async () => {
    const all = await connectionThat(({ kind }) => {
      if (kind === 'set') return [{ kind: 'setDeadline', name: 'short' }];
      if (kind === 'clear') return [{ kind: 'clearDeadline', name: 'short' }];
      return kind === 'give up' ? [{ kind: 'destroy' }, { kind: 'ended' }] : [];
    });
    for (const kind of ['set', 'clear', 'set', 'give up']) all.connection.dispatch({ kind });
    await once(all.here, 'close');
    // Set later and as long: when it has passed, those before it would have.
    const other = await connectionThat(({ kind }) => (kind === 'set' ? [{ kind: 'setDeadline', name: 'short' }] : []));
    other.connection.dispatch({ kind: 'set' });
    await expect.poll(() => other.heard).toContain('deadline short');
    expect(all.heard.filter((each) => each.startsWith('deadline'))).toEqual([]);
  });

  it('sends what one turn of the loop brought forth in one piece', async () => {
    const all = await connectionThat(({ kind }) =>
      kind === 'say'
        ? [
            { kind: 'send', bytes: Buffer.from('ab') },
            { kind: 'send', bytes: Buffer.from('cd') },
          ]
        : [],
    );
    const pieces: string[] = [];
    all.peer.on('data', (bytes) => pieces.push(String(bytes)));
    all.connection.dispatch({ kind: 'say' });
    all.connection.dispatch({ kind: 'say' });
    await expect.poll(() => pieces.join('')).toBe('abcdabcd');
    expect(pieces).toHaveLength(1);
  });

  it('closes when all that was said has left: the peer gets it whole, and then the end', async () => {
    for (const size of [100, 8 << 20]) {
      const all = await connectionThat(({ kind }) =>
        kind === 'say' ? [{ kind: 'send', bytes: new Uint8Array(size) }, { kind: 'close' }] : [],
      );
      let received = 0;
      const ended = once(all.peer, 'end');
      all.connection.dispatch({ kind: 'say' });
      // What one write cannot take waits for the peer; until then the socket stays open.
      expect(all.here.destroyed).toBe(size === 100);
      all.peer.on('data', (bytes) => {
        received += bytes.length;
      });
      await ended;
      expect(received).toBe(size);
      await expect.poll(() => all.heard.at(-1)).toBe('lost');
    }
  });

  it('takes back what was said and not read, when it is reset', async () => {
    const all = await connectionThat(({ kind }) => {
      if (kind === 'say') return [{ kind: 'send', bytes: new Uint8Array(64 << 20) }, { kind: 'end' }];
      return kind === 'give up' ? [{ kind: 'reset' }, { kind: 'ended' }] : [];
    });
    const told = once(all.peer, 'error');
    all.peer.pause();
    all.connection.dispatch({ kind: 'say' });
    all.connection.dispatch({ kind: 'give up' });
    await once(all.here, 'close');
    all.peer.resume();
    expect(await told).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(all.heard).toEqual(['say', 'writeBlocked', 'give up', 'lost']);
  });

  it('keeps what it said while its machine works for itself, and sends it with what comes of that', async () => {
    const expectation: { kind: Expectation['kind'] } = { kind: 'pause' };
    const all = await connectionThat(
      ({ kind }) => (kind === 'say' ? [{ kind: 'send', bytes: Buffer.from('ab') }] : []),
      () => expectation as Expectation,
    );
    const pieces: string[] = [];
    all.peer.on('data', (bytes) => pieces.push(String(bytes)));
    for (const kind of ['pause', 'nothing'] as const) {
      expectation.kind = kind;
      all.connection.dispatch({ kind: 'say' });
      await new Promise((turn) => setImmediate(turn));
      expect(all.here.bytesWritten).toBe(0);
    }
    expectation.kind = 'ignore';
    all.connection.dispatch({ kind: 'say' });
    await expect.poll(() => pieces).toEqual(['ababab']);
  });

  it('tells its machine when the peer does not read, and when it has read again', async () => {
    const all = await connectionThat(({ kind }) =>
      kind === 'say' ? [{ kind: 'send', bytes: new Uint8Array(1 << 20) }] : [],
    );
    all.peer.pause();
    for (let count = 0; count < 16; count++) all.connection.dispatch({ kind: 'say' });
    expect(all.heard).toContain('writeBlocked');
    all.peer.resume();
    await expect.poll(() => all.heard.at(-1)).toBe('writeDrained');
  });
});
