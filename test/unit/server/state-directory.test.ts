import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  adoptNextHostKey,
  announceNextHostKey,
  cancelNextHostKey,
  makeNextPepper,
  openStateDirectory,
  removePepper,
} from '../../../src/server/state-directory.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-state-'));
  path = join(folder, 'state');
});
afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (name: string): number => statSync(join(path, name)).mode & 0o777;

describe('the state directory', () => {
  it('makes what is missing on first use, for its owner alone, and finds it again', () => {
    const first = openStateDirectory(path, { create: true });
    expect(first.created).toEqual([path, join(path, 'host-key.pem'), join(path, 'pepper.1')]);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect([modeOf('host-key.pem'), modeOf('pepper.1')]).toEqual([0o600, 0o600]);
    expect(readdirSync(path).sort()).toEqual(['host-key.pem', 'pepper.1']);
    const second = openStateDirectory(path);
    expect(second.created).toEqual([]);
    expect(second.hostPublicKey).toEqual(first.hostPublicKey);
    expect(second.peppers.get(1)).toEqual(first.peppers.get(1));
    expect(second).toMatchObject({ nextHostKey: undefined, retiredHostKeys: [], pepperVersion: 1 });
  });

  it('does not make anything when it is only to be opened', () => {
    expect(() => openStateDirectory(path)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining('sallyport serve') }),
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['host-key.pem', 'pepper.1'])('refuses %s when others can read it', (name) => {
    openStateDirectory(path, { create: true });
    chmodSync(join(path, name), 0o640);
    expect(() => openStateDirectory(path)).toThrow(
      expect.objectContaining({ code: 'BAD_FILE', message: expect.stringMatching(/mode 0640.*chmod 600/) }),
    );
  });

  it('refuses damaged files without quoting or replacing them', () => {
    openStateDirectory(path, { create: true });
    const key = readFileSync(join(path, 'host-key.pem'), 'utf8');
    const damaged = key.replace('MC4', 'MC5');
    writeFileSync(join(path, 'host-key.pem'), damaged);
    let message = '';
    try {
      openStateDirectory(path, { create: true });
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('not an Ed25519 private key');
    expect(message).not.toContain(key.split('\n')[1]);
    expect(readFileSync(join(path, 'host-key.pem'), 'utf8')).toBe(damaged);
    writeFileSync(join(path, 'host-key.pem'), key);
    writeFileSync(join(path, 'pepper.1'), 'short');
    expect(() => openStateDirectory(path)).toThrow(/5 bytes and a pepper has 32/);
  });

  it('uses the highest pepper for what is new and keeps the others', () => {
    openStateDirectory(path, { create: true });
    writeFileSync(join(path, 'pepper.10'), new Uint8Array(32).fill(7), { mode: 0o600 });
    const opened = openStateDirectory(path);
    expect(opened.pepperVersion).toBe(10);
    expect([...opened.peppers.keys()].sort()).toEqual([1, 10]);
  });

  it('makes peppers of numbers nobody has, or needs', () => {
    const { peppers } = openStateDirectory(path, { create: true });
    expect(makeNextPepper(path)).toBe(2);
    expect(makeNextPepper(path, [1, 7])).toBe(8);
    const after = openStateDirectory(path);
    expect([...after.peppers.keys()].sort()).toEqual([1, 2, 8]);
    expect(after.peppers.get(1)).toEqual(peppers.get(1));
    expect(new Set([...after.peppers.values()].map((pepper) => Buffer.from(pepper).toString('hex'))).size).toBe(3);
    expect(modeOf('pepper.8')).toBe(0o600);
  });

  it('brings a pepper back that came into use while it was removed', async () => {
    const { peppers } = openStateDirectory(path, { create: true });
    makeNextPepper(path);
    const counts = [0, 1];
    await expect(removePepper(path, 1, async () => counts.shift()!)).rejects.toMatchObject({ code: 'STILL_USED' });
    expect(counts).toEqual([]);
    expect(openStateDirectory(path).peppers.get(1)).toEqual(peppers.get(1));
    await removePepper(path, 1, async () => 0);
    expect(readdirSync(path).sort()).toEqual(['host-key.pem', 'pepper.2']);
  });

  it('makes no pepper beside a ledger that needs others', () => {
    openStateDirectory(path, { create: true });
    rmSync(join(path, 'pepper.1'));
    writeFileSync(join(path, 'ledger.sqlite'), '');
    expect(() => openStateDirectory(path, { create: true })).toThrow(
      expect.objectContaining({ code: 'BAD_FILE', message: expect.stringContaining('sallyport keys pepper --next') }),
    );
    expect(openStateDirectory(path).pepperVersion).toBe(0);
    expect(readdirSync(path).sort()).toEqual(['host-key.pem', 'ledger.sqlite']);
  });

  it('announces, adopts and cancels the next host key', () => {
    const before = openStateDirectory(path, { create: true });
    expect(() => adoptNextHostKey(path)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining('keys rotate') }),
    );
    announceNextHostKey(path);
    cancelNextHostKey(path);
    expect(() => cancelNextHostKey(path)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    const announced = announceNextHostKey(path);
    expect(() => announceNextHostKey(path)).toThrow(expect.objectContaining({ code: 'ALREADY_EXISTS' }));
    expect(openStateDirectory(path).nextHostKey).toBeDefined();
    expect(adoptNextHostKey(path)).toEqual({ retired: before.hostPublicKey, current: announced });
    const after = openStateDirectory(path);
    expect(after.hostPublicKey).toEqual(announced);
    expect(after.nextHostKey).toBeUndefined();
    expect(after.retiredHostKeys).toEqual([before.hostPublicKey]);
    expect(modeOf('host-key.pem')).toBe(0o600);
  });
});
