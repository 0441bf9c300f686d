import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { main } from '../../src/cli/main.ts';
import { FakeStreams } from '../unit/cli/fake-streams.ts';
import { CommandStage } from './cli-stage.ts';

const stage = new CommandStage();
afterAll(() => stage.close());

describe('demo', () => {
  it('shows every step of the method in order, adds up, and leaves nothing behind', async () => {
    const { exitCode, stdout, stderr } = await stage.runWith({ TMPDIR: stage.folder }, 'demo');
    expect([exitCode, stderr]).toEqual([EXIT.OK, '']);
    const inOrder = [
      'server running',
      'runs all the time, and listens on its',
      'connects to the first port',
      'HELLO',
      'OFFER: a second port for this customer',
      'switches to the second port',
      'its intermediate value: Yc = g^b mod p',
      'computes the shared value Z = Ys^b mod p',
      'makes the keys from Z',
      'receives and checks Yc',
      'computes the shared value Z = Yc^a mod p',
      'makes the same keys',
      'compares profile and credential',
      'decrypts the transaction',
      'processes it',
      'receives the receipt and verifies its',
      'Both reached the same Z',
      '0.00 EUR: every cent',
      'Every step came true',
    ];
    const places = inOrder.map((text) => stdout.indexOf(text));
    expect(places, inOrder[places.indexOf(-1)] ?? '').toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    // Numbered from 1 without a gap.
    const numbers = [...stdout.matchAll(/^(?: {46}[ ◀─]{7}| {0})([ \d]\d) {2}\S/gm)].map(([, number]) =>
      Number(number),
    );
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(25);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
    expect(stdout).not.toContain('\x1b');
    expect(readdirSync(stage.folder).filter((name) => name.startsWith('sallyport-demo-'))).toEqual([]);
  });

  it('masks what is secret', async () => {
    const { stdout } = await stage.runWith({ TMPDIR: stage.folder }, 'demo', '--keep');
    const folder = stage.path(readdirSync(stage.folder).find((name) => name.startsWith('sallyport-demo-'))!);
    const alice = JSON.parse(readFileSync(`${folder}/alice.json`, 'utf8'));
    expect(stdout).toContain(`Kept: ${folder}`);
    for (const secret of [alice.credential, alice.profile.email]) expect(stdout).not.toContain(secret);
    // No value of the exchange is shown beyond its first and last eight digits.
    expect(stdout).not.toMatch(/[0-9a-f]{20}/);
    expect(readFileSync(`${folder}/server.log`, 'utf8')).not.toContain(alice.profile.email);
  });

  it('names the step that fails, and ends with 1', async () => {
    const before = process.env.NODE_OPTIONS;
    process.env.NODE_OPTIONS = '--import=./no-such-module.mjs';
    try {
      const streams = new FakeStreams();
      expect(await main(['demo'], streams)).toBe(EXIT.REFUSED);
      expect(streams.stderr.text).toContain('error: the demo failed at starting the server:');
      expect(streams.stderr.text).toContain('Run it again with --keep');
    } finally {
      if (before === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = before;
    }
  });
});
