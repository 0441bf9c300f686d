import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SallyportError } from '../../../src/errors.ts';
import {
  type ConfigurationSources,
  defaultConfiguration,
  resolveConfiguration,
} from '../../../src/server/configuration.ts';
import { SETTING_NAMES, SETTINGS } from '../../../src/server/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-configuration-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(toml: string): string {
  const path = join(folder, 'server.toml');
  writeFileSync(path, toml);
  return path;
}

function problems(sources: ConfigurationSources): string[] {
  try {
    resolveConfiguration(sources);
  } catch (error) {
    expect((error as SallyportError).code).toBe('BAD_CONFIGURATION');
    return (error as SallyportError).message.split('\n');
  }
  return [];
}

describe('configuration', () => {
  it('has embedded defaults that pass their own schemas', () => {
    const { configuration, settings } = resolveConfiguration({});
    expect(configuration).toEqual(defaultConfiguration());
    expect(settings.every(({ origin }) => origin === 'default')).toBe(true);
    expect(configuration).toMatchObject({
      'first-port': 7919,
      'second-ports': { kind: 'range', first: 20_000, last: 29_999 },
      'port-mode': 'exclusive',
      groups: ['ffdhe3072', 'ffdhe4096'],
      kems: ['ML-KEM-768'],
    });
    for (const name of SETTING_NAMES) {
      if (name !== 'second-ports')
        expect(SETTINGS[name].schema.safeParse(SETTINGS[name].fallback), name).toMatchObject({ success: true });
    }
  });

  it('lets the environment win over the file and flags over both, and says where each value came from', () => {
    const path = file(
      'first-port = 1111\nbacklog = 10\nlease-ms = 50\ngroups = ["ffdhe4096"]\nprocessors = ["./a.ts"]\n',
    );
    const { configuration, settings } = resolveConfiguration({
      file: path,
      environment: { SALLYPORT_FIRST_PORT: '2222', SALLYPORT_BACKLOG: '20', HOME: '/nowhere' },
      flags: { 'first-port': '3333' },
    });
    expect(configuration).toMatchObject({
      'first-port': 3333,
      backlog: 20,
      'lease-ms': 50,
      groups: ['ffdhe4096'],
      processors: ['./a.ts'],
    });
    const origins = Object.fromEntries(settings.map(({ name, origin }) => [name, origin]));
    expect(origins).toMatchObject({
      'first-port': 'flag --first-port',
      backlog: 'environment SALLYPORT_BACKLOG',
      'lease-ms': `file ${path}`,
      host: 'default',
    });
  });

  it('reads the same value in every notation', () => {
    for (const sources of [
      { file: file('groups = ["ffdhe2048", "ffdhe3072"]\nsecond-ports = "any:50"\n') },
      { environment: { SALLYPORT_GROUPS: 'ffdhe2048, ffdhe3072', SALLYPORT_SECOND_PORTS: 'any:50' } },
      { flags: { groups: 'ffdhe2048,ffdhe3072', 'second-ports': 'any:50' } },
    ]) {
      expect(resolveConfiguration(sources).configuration).toMatchObject({
        groups: ['ffdhe2048', 'ffdhe3072'],
        'second-ports': { kind: 'system', count: 50 },
      });
    }
  });

  it('names every wrong value at once, with its source and what would be right', () => {
    const path = file('first-port = 70000\ngroups = ["ffdhe1024"]\n');
    expect(
      problems({
        file: path,
        environment: { SALLYPORT_PORT_MODE: 'both' },
        flags: { 'second-ports': '30000-20000', 'log-level': '' },
      }),
    ).toEqual([
      `first-port (file ${path}): 70000 is not a whole number from 0 to 65535`,
      'second-ports (flag --second-ports): "30000-20000" is not a range such as 20000-29999 within 1024-65535, or any:COUNT for ports that the system chooses',
      'port-mode (environment SALLYPORT_PORT_MODE): "both" is not one of exclusive, shared',
      `groups (file ${path}): ["ffdhe1024"] is not one or more of ffdhe3072, ffdhe4096, ffdhe2048, most wanted first`,
      'log-level (flag --log-level): "" is not one of trace, debug, info, warn, error, fatal, silent',
    ]);
  });

  it.each(['1023-2000', '20000-65536', '20000', 'any:0', 'any', '-1-5', '20000-29999 '])(
    'refuses %j as second ports',
    (raw) => {
      expect(problems({ flags: { 'second-ports': raw } })).toHaveLength(1);
    },
  );

  it.each(['-1', '1.5', '0x10', '1e3', ' ', 'NaN'])('refuses %j as a number', (raw) => {
    expect(problems({ flags: { backlog: raw } })).toHaveLength(1);
  });

  it('suggests what a misspelt name may have meant', () => {
    const path = file('frist-port = 1\n');
    expect(problems({ file: path, environment: { SALLYPORT_BACKLOK: '1' } })).toEqual([
      `frist-port (file ${path}): no such setting; did you mean first-port?`,
      'SALLYPORT_BACKLOK (environment): no such setting; did you mean SALLYPORT_BACKLOG?',
    ]);
  });

  it('says what is wrong with a file', () => {
    expect(problems({ file: join(folder, 'missing.toml') })[0]).toMatch(/missing\.toml cannot be read: ENOENT/);
    expect(problems({ file: file('first-port = = 1') })[0]).toMatch(/is not TOML/);
    expect(problems({ environment: { SALLYPORT_CONFIG: join(folder, 'other.toml') } })[0]).toMatch(
      /other\.toml cannot be read/,
    );
  });

  it('refuses settings that contradict each other', () => {
    expect(problems({ flags: { 'first-port': '20500' } })).toEqual([
      'first-port 20500 lies within second-ports 20000-29999: move one of them',
    ]);
    expect(problems({ flags: { 'session-timeout-ms': '100', 'auth-timeout-ms': '101' } })).toHaveLength(1);
    expect(problems({ flags: { 'port-mode': 'shared' } })).toEqual([
      'second-ports names 10000 ports, and port-mode shared takes at most 64, each for many sessions: give a few, such as 20000-20003',
    ]);
    expect(problems({ flags: { 'port-mode': 'shared', 'second-ports': 'any:65' } })).toHaveLength(1);
    expect(resolveConfiguration({ flags: { 'port-mode': 'shared', 'second-ports': 'any:64' } })).toBeDefined();
    expect(() => defaultConfiguration({ 'port-mode': 'shared' })).toThrow(/at most 64/);
  });
});
