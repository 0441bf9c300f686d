import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { CommandStage, endOf, payment } from './cli-stage.ts';

const stage = new CommandStage();
afterAll(() => stage.close());

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

async function configurationOf(environment: Record<string, string>, ...args: string[]): Promise<Map<string, Setting>> {
  const { exitCode, stdout, stderr } = await stage.runWith(environment, 'serve', '--print-config', '--json', ...args);
  expect([exitCode, stderr]).toEqual([EXIT.OK, '']);
  const { settings } = JSON.parse(stdout) as { settings: Setting[] };
  return new Map(settings.map((setting) => [setting.name, setting]));
}

describe('serve --print-config', () => {
  it('shows where each value comes from: flag over environment over file over default', async () => {
    writeFileSync(stage.path('some.toml'), 'first-port = 7001\ngroups = ["ffdhe4096"]\nthreads = 2\n');
    const environment = { SALLYPORT_FIRST_PORT: '7002', SALLYPORT_THREADS: '3' };
    const settings = await configurationOf(environment, '--config', 'some.toml', '--threads', '4');
    expect(settings.get('threads')).toMatchObject({ value: '4', origin: 'flag --threads' });
    expect(settings.get('first-port')).toMatchObject({ value: '7002', origin: 'environment SALLYPORT_FIRST_PORT' });
    expect(settings.get('groups')).toMatchObject({ value: 'ffdhe4096', origin: 'file some.toml' });
    expect(settings.get('second-ports')).toMatchObject({ value: '20000-29999', origin: 'default' });
    const { stdout } = await stage.runWith(environment, 'serve', '--print-config');
    expect(stdout).toMatch(/^setting +value +from\nstate +\.\/sallyport-state +default\n/);
    expect(readdirSync(stage.folder)).not.toContain('sallyport-state');
  });

  it('names every wrong value with its source and what would be right', async () => {
    const { exitCode, stdout, stderr } = await stage.runWith(
      { SALLYPORT_GROUPS: 'ffdhe1024' },
      'serve',
      '--first-port',
      '70000',
    );
    expect([exitCode, stdout]).toEqual([EXIT.USAGE, '']);
    expect(stderr).toContain('first-port (flag --first-port): "70000" is not a whole number from 0 to 65535');
    expect(stderr).toContain('groups (environment SALLYPORT_GROUPS): "ffdhe1024" is not one or more of');
  });
});

describe('serve --check-config', () => {
  it.each([
    [
      ['--host', '203.0.113.9'],
      'the first port 203.0.113.9:0 could not be opened: 203.0.113.9 is no address of this machine',
    ],
    [['--host', '300.1.2.3'], '300.1.2.3 is no address of this machine; name one of its own with --host'],
    [['--admin-port', '0', '--admin-host', '203.0.113.9'], 'name one of its own with --admin-host'],
  ])('%j: says that this machine cannot listen there', async (args, message) => {
    const { exitCode, stdout, stderr } = await stage.run('serve', '--check-config', ...args);
    expect([exitCode, stdout]).toEqual([EXIT.USAGE, '']);
    expect(stderr).toContain(message);
  });

  it('says that all is right, and makes nothing', async () => {
    const { exitCode, stdout } = await stage.run('serve', '--check-config', '--host', '0.0.0.0', '--admin-port', '0');
    expect([exitCode, stdout]).toEqual([EXIT.OK, '✓ the configuration is right\n']);
    expect(readdirSync(stage.folder)).not.toContain('sallyport-state');
  });
});

describe('serve', () => {
  it('names to customers the host that it advertises, whatever name they come by', async () => {
    const { server, announcement } = await stage.serve('--state', 'nat', '--advertised-host', '127.0.0.1');
    const { port } = announcement.firstPort;
    writeFileSync(stage.path('nat.toml'), 'state = "nat"\nadvertised-host = "127.0.0.1"\n');
    for (const host of ['127.0.0.1', 'localhost']) {
      const name = `by-${host}`;
      await stage.json('enroll', name, '--config', 'nat.toml', '--server', `${host}:${port}`);
      expect((await stage.run('balance', '--customer', `${name}.json`)).exitCode).toBe(EXIT.OK);
    }
    // Enrolled before anything was advertised, and by another name.
    await stage.json('enroll', 'before', '--state', 'nat', '--server', `localhost:${port}`);
    const { exitCode, stderr } = await stage.run('balance', '--customer', 'before.json');
    expect(exitCode).toBe(EXIT.IDENTITY);
    expect(stderr).toContain('the second port is on 127.0.0.1, a host that this customer does not allow (secondHosts)');
    server.kill('SIGTERM');
    await once(server, 'exit');
  });

  it('says where everything is and the exact next command, which works', async () => {
    const server = stage.start([
      'serve',
      '--first-port',
      '0',
      '--second-ports',
      'any:8',
      '--state',
      'my state',
      '--log-file',
      'log.jsonl',
    ]);
    const lines: string[] = [];
    for await (const line of createInterface(server.stdout as Readable)) {
      lines.push(line);
      if (line.includes('enroll')) break;
    }
    const banner = lines.join('\n');
    const port = Number(/first port +127\.0\.0\.1:(\d+)/.exec(banner)?.[1]);
    expect(port).toBeGreaterThan(0);
    expect(banner).toMatch(/second ports +8, chosen by the system, one for each session/);
    expect(banner).toMatch(/host key +SHA256:[\w+/]{43}\n/);
    expect(banner).toContain(`${stage.path('my state')}  (made just now)`);
    const next = /^ {2}npx sallyport (.*)$/m.exec(banner)![1]!;
    expect(next).toBe(`enroll alice --profile email=alice@example.com --state 'my state' --server 127.0.0.1:${port}`);
    const words = [...next.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
    const enrolled = await stage.run(...words);
    expect(enrolled.exitCode).toBe(EXIT.OK);
    expect(enrolled.stderr).toContain(
      "npx sallyport accounts open alice.eur --owner alice --currency EUR --state 'my state'",
    );
    expect((await stage.run('balance', '--customer', 'alice.json')).exitCode).toBe(EXIT.OK);

    server.kill('SIGTERM');
    const { exitCode, stderr } = await endOf(server);
    expect([exitCode, stderr]).toEqual([EXIT.OK, expect.stringContaining('stopped')]);
    const log = readFileSync(stage.path('log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(log.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['listening', 'session-end', 'draining', 'stopped']),
    );
    expect(statSync(stage.path('log.jsonl')).mode & 0o777).toBe(0o600);
    expect(statSync(stage.path('my state')).mode & 0o777).toBe(0o700);
  });

  it('stops on SIGINT as well, and comes back over the same state', async () => {
    for (const created of [true, false]) {
      const { server, announcement } = await stage.serve();
      expect((announcement as unknown as { created: string[] }).created.length > 0).toBe(created);
      server.kill('SIGINT');
      const [exitCode] = await once(server, 'exit');
      expect(exitCode).toBe(EXIT.OK);
    }
  });

  it('says what to do when its first port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { exitCode, stderr } = await stage.run(
      'serve',
      '--first-port',
      String(port),
      '--second-ports',
      'any:8',
      '--state',
      'taken',
    );
    other.close();
    expect(exitCode).toBe(EXIT.RETRY);
    expect(stderr).toContain(`the first port 127.0.0.1:${port} could not be opened: another process listens there`);
  });

  it('is away: a payment says so with 3, nothing sent and nothing unknown', async () => {
    const { exitCode, stderr } = await stage.run(...payment('alice', 'bob', '1.00'), '--retry-for', '300ms');
    expect(exitCode).toBe(EXIT.RETRY);
    expect(stderr).toMatch(/cannot connect to 127\.0\.0\.1:\d+: connection refused; trying again in 0\.\d s/);
    expect(stderr).toMatch(/error: cannot connect to 127\.0\.0\.1:\d+: connection refused\n/);
  });
});
