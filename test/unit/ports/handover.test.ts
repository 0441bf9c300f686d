import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PortTable } from '../../../src/ports/port-table.ts';
import { SecondPorts, type SecondPortsOptions } from '../../../src/ports/second-ports.ts';

const opened: SecondPorts[] = [];
afterEach(async () => {
  for (const ports of opened.splice(0)) await ports.close();
});

function open(options: Partial<SecondPortsOptions>): SecondPorts {
  const ports = new SecondPorts({
    host: '127.0.0.1',
    supply: { kind: 'system', count: 4 },
    mode: 'exclusive',
    sharedLeasesMax: 1,
    idleListenersMax: 100,
    onConnection: (socket) => socket.destroy(),
    ...options,
  });
  opened.push(ports);
  return ports;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a port table', () => {
  it('withholds free slots alone, keeps the order of the others, and gives them back when their time is over', () => {
    const order = (table: PortTable): (number | undefined)[] => Array.from({ length: 6 }, () => table.lease(0));
    const same = (bound: number): number => bound - 1;
    const expected = order(new PortTable(6, same));
    const table = new PortTable(6, same);
    const leased = table.lease(0)!;
    expect(leased).toBe(expected[0]);
    table.withhold(new Set([leased, expected[2]!, expected[4]!, 99]), 'held', 0, 1_000);
    expect(table.gauges).toEqual({ slots: 6, free: 3, leased: 1, quarantined: 2 });
    expect(table.state(leased)).toBe('leased');
    expect([table.lease(0), table.lease(0), table.lease(0), table.lease(0)]).toEqual([
      expected[1],
      expected[3],
      expected[5],
      undefined,
    ]);
    expect([table.lease(1_000), table.lease(1_000)]).toEqual([expected[2], expected[4]]);
  });
});

describe('second ports', () => {
  it('that retire close what nobody holds at once, and the rest when it is released', async () => {
    const ports = open({});
    const held = await ports.lease();
    const idle = await ports.lease();
    idle.release();
    expect(ports.listeners).toBe(2);
    expect(ports.retire()).toEqual([held.port]);
    expect(ports.listeners).toBe(1);
    const later = await ports.lease();
    expect(ports.listeners).toBe(2);
    later.release();
    held.release();
    expect(ports.listeners).toBe(0);
    expect(ports.gauges).toMatchObject({ free: 4, leased: 0 });
  });

  it('pass over what another server holds', async () => {
    const port = await freePort();
    const ports = open({ supply: { kind: 'range', first: port, last: port } });
    ports.withhold([port, port + 1, 1]);
    expect(ports.quarantined).toMatchObject([{ port, reason: 'held by the server before' }]);
    await expect(ports.lease()).rejects.toMatchObject({ code: 'BUSY' });
  });
});
