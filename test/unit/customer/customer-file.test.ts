import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createCustomerFile,
  readCustomerFile,
  rememberHostKeys,
  replaceCustomerFile,
} from '../../../src/customer/customer-file.ts';
import { type CustomerIdentity, DEFAULT_POLICY } from '../../../src/customer/customer-identity.ts';
import { type ErrorCode, SallyportError } from '../../../src/errors.ts';

const KEY_1 = new Uint8Array(32).fill(1);
const KEY_2 = new Uint8Array(32).fill(2);
const KEY_3 = new Uint8Array(32).fill(3);
const ALICE: CustomerIdentity = {
  customerId: 'alice',
  profile: { email: 'alice@example.com', name: 'Älice' },
  credential: new Uint8Array(32).fill(0xc5),
  server: { host: '127.0.0.1', port: 7919 },
  hostKey: KEY_1,
  nextHostKey: undefined,
  pastHostKeys: [],
  policy: DEFAULT_POLICY,
};

describe('a customer file', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-customer-'));
    path = join(directory, 'alice.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const failure = async (action: Promise<unknown>, code: ErrorCode = 'BAD_FILE'): Promise<string> => {
    const error: unknown = await action.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof SallyportError)) throw new Error(`no SallyportError but ${String(error)}`);
    expect(error.code).toBe(code);
    expect(error.message).not.toContain('c5c5');
    return error.message;
  };

  it('is read as it was written, and belongs to its owner alone', async () => {
    await createCustomerFile(path, ALICE);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readCustomerFile(path)).toEqual(ALICE);
    await replaceCustomerFile(path, { ...ALICE, nextHostKey: KEY_2 });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readCustomerFile(path)).toEqual({ ...ALICE, nextHostKey: KEY_2 });
    expect(await readdir(directory)).toEqual(['alice.json']);
  });

  it('is never overwritten by another enrolment', async () => {
    await createCustomerFile(path, ALICE);
    await failure(createCustomerFile(path, { ...ALICE, customerId: 'bob' }), 'ALREADY_EXISTS');
    expect((await readCustomerFile(path)).customerId).toBe('alice');
  });

  it.each([0o640, 0o604, 0o660, 0o644])('is refused when others may touch it (mode %o)', async (mode) => {
    await createCustomerFile(path, ALICE);
    await chmod(path, mode);
    expect(await failure(readCustomerFile(path))).toContain('run: chmod 600');
  });

  it('names every wrong member, and never quotes the credential', async () => {
    await createCustomerFile(path, ALICE);
    const right = JSON.parse(await readFile(path, 'utf8'));
    const withMembers = async (members: object): Promise<string> => {
      await writeFile(path, JSON.stringify({ ...right, ...members }));
      return failure(readCustomerFile(path));
    };
    expect(await withMembers({ credential: 'c5c5', customer: 'Alice', server: { host: 'h', port: 0 } })).toMatch(
      /customer: must be a customer id.*\ncredential: must be the credential: 64 hexadecimal digits\nserver\.port: /s,
    );
    expect(await withMembers({ version: 2 })).toContain('version: must be 1');
    expect(await withMembers({ sallyport: 'server' })).toContain('this is no customer file');
    expect(await withMembers({ extra: 1 })).toContain('extra');
    expect(await withMembers({ hostKey: undefined })).toContain('pins no host key');
    expect(await withMembers({ policy: { groups: ['ffdhe1024'] } })).toContain('policy.groups.0');
    await writeFile(path, `{"credential":"${'c5'.repeat(32)}" oops`);
    expect(await failure(readCustomerFile(path))).toContain('is not JSON');
    await writeFile(path, ' '.repeat(100_000));
    expect(await failure(readCustomerFile(path))).toContain('is no customer file');
  });

  it('may leave its policy to the defaults', async () => {
    await createCustomerFile(path, ALICE);
    const { policy: _, ...without } = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify(without));
    expect((await readCustomerFile(path)).policy).toEqual(DEFAULT_POLICY);
  });

  it('says what is wrong when there is none, or no place for one', async () => {
    expect(await failure(readCustomerFile(path))).toContain('there is no such file');
    expect(await failure(createCustomerFile(join(directory, 'x', 'y.json'), ALICE))).toContain('no such directory');
    expect(await failure(replaceCustomerFile(join(directory, 'x', 'y.json'), ALICE))).toContain('no such directory');
  });

  it('remembers host keys, and nothing else of what was in memory', async () => {
    await createCustomerFile(path, ALICE);
    const anew = { ...ALICE, credential: new Uint8Array(32).fill(9) };
    await replaceCustomerFile(path, anew);
    await rememberHostKeys(path, ALICE, { hostKey: KEY_1, nextHostKey: KEY_2, pastHostKeys: [KEY_3] });
    expect(await readCustomerFile(path)).toEqual({ ...anew, nextHostKey: KEY_2, pastHostKeys: [KEY_3] });
    // A file that was pinned to another key in the meantime is left alone.
    await replaceCustomerFile(path, { ...anew, hostKey: KEY_3 });
    await rememberHostKeys(path, ALICE, { hostKey: KEY_2, nextHostKey: undefined, pastHostKeys: [] });
    expect(await readCustomerFile(path)).toEqual({ ...anew, hostKey: KEY_3 });
  });
});
