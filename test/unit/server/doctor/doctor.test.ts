import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  checkBacklog,
  checkClock,
  checkDescriptors,
  checkEphemeralRange,
  checkPortsInUse,
  checkSecretFile,
  descriptorsNeeded,
} from '../../../../src/server/doctor/checks.ts';
import { type HostFacts, listeningPorts, portRanges, readHostFacts } from '../../../../src/server/doctor/host-facts.ts';

const FACTS: HostFacts = {
  descriptorsSoft: 1024,
  descriptorsHard: 40_000,
  ephemeralPorts: [32_768, 60_999],
  listeningPorts: new Set([22]),
  reservedPorts: [],
  acceptQueueMax: 4096,
};
const PLANNED = { firstPort: 7919, secondPorts: [20_000, 29_999] as const, secondPortCount: 10_000, backlog: 511 };

describe('facts of the host', () => {
  it('are read where they are and undefined where they are not', () => {
    const root = `${mkdtempSync(join(tmpdir(), 'proc-'))}/`;
    try {
      for (const folder of ['self', 'sys/net/ipv4', 'sys/net/core', 'net'])
        mkdirSync(`${root}proc/${folder}`, { recursive: true });
      writeFileSync(
        `${root}proc/self/limits`,
        'Limit  Soft  Hard  Units\nMax open files            1024                 unlimited            files     \n',
      );
      writeFileSync(`${root}proc/sys/net/ipv4/ip_local_port_range`, '32768\t60999\n');
      writeFileSync(`${root}proc/sys/net/ipv4/ip_local_reserved_ports`, '8080,9148-9150\n');
      expect(readHostFacts(root)).toEqual({
        descriptorsSoft: 1024,
        descriptorsHard: Number.POSITIVE_INFINITY,
        ephemeralPorts: [32_768, 60_999],
        listeningPorts: new Set(),
        reservedPorts: [
          [8080, 8080],
          [9148, 9150],
        ],
        acceptQueueMax: undefined,
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('name a port that really listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      expect(readHostFacts().listeningPorts.has(port)).toBe(true);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(readHostFacts().listeningPorts.has(port)).toBe(false);
  });

  it('pass over connections that do not listen', () => {
    const lines = [
      '  sl  local_address rem_address   st',
      '   0: 0100007F:1EEF 00000000:0000 0A 0',
      '   1: 0100007F:4E20 0100007F:9C40 01 0',
      '   2: 00000000000000000000000000000000:4E21 0:0 0A 0',
    ];
    expect(listeningPorts(lines.join('\n'))).toEqual([7919, 20_001]);
    expect(portRanges('\n')).toEqual([]);
  });
});

describe('the doctor', () => {
  it('counts descriptors against the hard limit, which Node takes for itself', () => {
    expect(checkDescriptors(PLANNED, FACTS).verdict).toBe('good');
    const needed = descriptorsNeeded(PLANNED);
    expect(checkDescriptors(PLANNED, { ...FACTS, descriptorsHard: needed }).verdict).toBe('good');
    const finding = checkDescriptors(PLANNED, { ...FACTS, descriptorsHard: needed - 1 });
    expect(finding).toMatchObject({ verdict: 'warning' });
    expect(checkDescriptors(PLANNED, { ...FACTS, descriptorsHard: 1_024 }).verdict).toBe('bad');
    expect(finding.advice).toContain(`LimitNOFILE=${needed}`);
    expect(finding.advice).toContain('at most 9999 second ports');
    expect(checkDescriptors(PLANNED, { ...FACTS, descriptorsSoft: undefined }).verdict).toBe('warning');
  });

  it('holds the range against the ephemeral range', () => {
    expect(checkEphemeralRange(PLANNED, FACTS).verdict).toBe('good');
    const high = { ...PLANNED, secondPorts: [30_000, 33_000] as const };
    expect(checkEphemeralRange(high, FACTS)).toMatchObject({
      verdict: 'warning',
      found: expect.stringContaining('by 233'),
    });
    expect(checkEphemeralRange(high, { ...FACTS, reservedPorts: [[32_768, 33_000]] }).verdict).toBe('good');
    expect(checkEphemeralRange({ ...PLANNED, firstPort: 20_000 }, FACTS).verdict).toBe('bad');
    expect(checkEphemeralRange({ ...PLANNED, secondPorts: [1000, 2000] }, FACTS).verdict).toBe('bad');
    expect(checkEphemeralRange({ ...PLANNED, secondPorts: undefined }, FACTS).verdict).toBe('good');
  });

  it('names ports that others hold', () => {
    expect(checkPortsInUse(PLANNED, FACTS).verdict).toBe('good');
    expect(checkPortsInUse(PLANNED, { ...FACTS, listeningPorts: new Set([20_005, 20_001, 30_000]) })).toMatchObject({
      verdict: 'warning',
      found: expect.stringContaining('2 ports of the range are in use: 20001, 20005'),
    });
    expect(checkPortsInUse(PLANNED, { ...FACTS, listeningPorts: new Set([7919]) }).found).toContain('first port 7919');
  });

  it('compares the backlog with what the system allows', () => {
    expect(checkBacklog({ ...PLANNED, backlog: 4096 }, FACTS).verdict).toBe('good');
    expect(checkBacklog({ ...PLANNED, backlog: 4097 }, FACTS)).toMatchObject({
      verdict: 'warning',
      advice: expect.stringContaining('somaxconn=4097'),
    });
  });

  it('does not believe a clock that is behind the version or the ledger', () => {
    const built = Date.parse('2026-01-01');
    expect(checkClock(built, built, undefined).verdict).toBe('good');
    expect(checkClock(built - 1, built, undefined).verdict).toBe('bad');
    expect(checkClock(built, built, BigInt(built) * 1000n).verdict).toBe('good');
    expect(checkClock(built, built, BigInt(built) * 1000n + 1n).verdict).toBe('bad');
  });

  it('wants secrets to be their owner’s alone', () => {
    expect(checkSecretFile('host.key', 0o100600).verdict).toBe('good');
    expect(checkSecretFile('host.key', 0o100640)).toMatchObject({
      verdict: 'bad',
      found: expect.stringContaining('0640'),
    });
    expect(checkSecretFile('host.key', undefined).verdict).toBe('warning');
  });
});
