/**
 * The customer file: all that the customer program needs, as `sallyport enroll` writes it. It holds the credential, so it is refused when
 * other users of the machine can read it, and it is always replaced whole.
 */

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { SallyportError } from '../errors.ts';
import {
  CREDENTIAL_BYTES,
  CUSTOMER_ID_BYTES_MAX,
  PROFILE_FIELDS_MAX,
  PROFILE_TAG_BYTES_MAX,
  PROFILE_VALUE_BYTES_MAX,
} from '../limits.ts';
import { AEAD_NAMES, type CustomerIdentity, DEFAULT_POLICY, GROUP_NAMES, KEM_NAMES } from './customer-identity.ts';
import { type HostKeys, PAST_HOST_KEYS_MAX } from './host-keys.ts';

const FILE_VERSION = 1;
/** Sixteen profile fields of 256 bytes and their JSON, several times over. */
const FILE_BYTES_MAX = 65_536;
const OTHERS_MAY_READ = 0o077;

const hexBytes = (length: number, what: string) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${length * 2}}$`), `must be ${what}: ${length * 2} hexadecimal digits`)
    .transform((hex) => new Uint8Array(Buffer.from(hex, 'hex')));

const profileValue = z
  .string()
  .refine(
    (value) => Buffer.byteLength(value) <= PROFILE_VALUE_BYTES_MAX,
    `must have at most ${PROFILE_VALUE_BYTES_MAX} bytes`,
  );

const schema = z.strictObject({
  sallyport: z.literal('customer', 'must be "customer": this is no customer file'),
  version: z.literal(FILE_VERSION, `must be ${FILE_VERSION}, the version that this program knows`),
  customer: z
    .string()
    .max(CUSTOMER_ID_BYTES_MAX)
    .regex(/^[a-z0-9][a-z0-9._-]*$/, 'must be a customer id (lower-case letters, digits, dot, hyphen and underscore)'),
  profile: z
    .record(
      z
        .string()
        .max(PROFILE_TAG_BYTES_MAX)
        .regex(/^[a-z0-9][a-z0-9_-]*$/),
      profileValue,
    )
    .refine(
      (profile) => Object.keys(profile).length <= PROFILE_FIELDS_MAX,
      `must have at most ${PROFILE_FIELDS_MAX} fields`,
    ),
  credential: hexBytes(CREDENTIAL_BYTES, 'the credential'),
  server: z.strictObject({ host: z.string().min(1).max(253), port: z.int().min(1).max(65_535) }),
  hostKey: hexBytes(32, "the server's Ed25519 public key").optional(),
  nextHostKey: hexBytes(32, 'an Ed25519 public key').optional(),
  pastHostKeys: z.array(hexBytes(32, 'an Ed25519 public key')).max(PAST_HOST_KEYS_MAX).default([]),
  policy: z
    .strictObject({
      trust: z.enum(['pinned', 'tofu']).default(DEFAULT_POLICY.trust),
      groups: z
        .array(z.enum(GROUP_NAMES))
        .min(1)
        .default([...DEFAULT_POLICY.groups]),
      kems: z
        .array(z.enum(KEM_NAMES))
        .min(1)
        .default([...DEFAULT_POLICY.kems]),
      aeads: z
        .array(z.enum(AEAD_NAMES))
        .min(1)
        .default([...DEFAULT_POLICY.aeads]),
      secondHosts: z.array(z.string().min(1).max(64)).default([]),
    })
    .prefault({}),
});

/** Reads and checks a customer file. Throws SallyportError BAD_FILE with the path and every wrong member. */
export async function readCustomerFile(path: string): Promise<CustomerIdentity> {
  const text = await readPrivateText(path);
  const parsed = schema.safeParse(parseJson(path, text));
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`);
    throw new SallyportError('BAD_FILE', [`the customer file ${path} is not right:`, ...faults].join('\n'));
  }
  const file = parsed.data;
  if (file.hostKey === undefined && file.policy.trust === 'pinned') {
    throw new SallyportError(
      'BAD_FILE',
      `the customer file ${path} pins no host key, and its policy is to trust pinned keys alone`,
    );
  }
  return {
    customerId: file.customer,
    profile: file.profile,
    credential: file.credential,
    server: file.server,
    hostKey: file.hostKey,
    nextHostKey: file.nextHostKey,
    pastHostKeys: file.pastHostKeys,
    policy: file.policy,
  };
}

/** Writes a new customer file, mode 0600. Throws ALREADY_EXISTS rather than replacing one, and BAD_FILE when it cannot be written. */
export async function createCustomerFile(path: string, identity: CustomerIdentity): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(encode(identity));
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) {
      throw new SallyportError(
        'ALREADY_EXISTS',
        `there is a file ${path} already, and it may hold somebody's only credential`,
      );
    }
    throw cannot('write', path, error);
  }
}

/** Replaces a customer file whole: a reader or a crash sees the old one or the new one. */
export async function replaceCustomerFile(path: string, identity: CustomerIdentity): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(encode(identity));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncDirectory(path);
  } catch (error) {
    await unlink(draft).catch((unlinkError: unknown) => {
      if (!isErrno(unlinkError, 'ENOENT')) throw unlinkError;
    });
    throw cannot('write', path, error);
  }
}

/**
 * Remembers what a valid offer said about host keys, and nothing else: the file is read again first, so that a file enrolled anew in the
 * meantime keeps its credential. Leaves a file alone that by now pins another key than the one this customer began with.
 */
export async function rememberHostKeys(path: string, began: CustomerIdentity, learned: HostKeys): Promise<void> {
  const current = await readCustomerFile(path);
  if (!sameKey(current.hostKey, began.hostKey)) return;
  await replaceCustomerFile(path, { ...current, ...learned });
}

function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function encode(identity: CustomerIdentity): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const { hostKey, nextHostKey, pastHostKeys = [] } = identity;
  const file: z.input<typeof schema> = {
    sallyport: 'customer',
    version: FILE_VERSION,
    customer: identity.customerId,
    profile: { ...identity.profile },
    credential: hex(identity.credential),
    server: identity.server,
    ...(hostKey === undefined ? {} : { hostKey: hex(hostKey) }),
    ...(nextHostKey === undefined ? {} : { nextHostKey: hex(nextHostKey) }),
    ...(pastHostKeys.length === 0 ? {} : { pastHostKeys: pastHostKeys.map(hex) }),
    policy: {
      trust: identity.policy.trust,
      groups: [...identity.policy.groups],
      kems: [...identity.policy.kems],
      aeads: [...identity.policy.aeads],
      secondHosts: [...identity.policy.secondHosts],
    },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

async function readPrivateText(path: string): Promise<string> {
  try {
    const { mode, size } = await stat(path);
    // Windows keeps no such bits: there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & OTHERS_MAY_READ) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SallyportError(
        'BAD_FILE',
        `the customer file ${path} can be read by others (mode ${shown}), and it holds a credential; run: chmod 600 ${path}`,
      );
    }
    if (size > FILE_BYTES_MAX)
      throw new SallyportError('BAD_FILE', `${path} is no customer file: it has ${size} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw cannot('read', path, error);
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text around the fault, which may be the credential.
    if (error instanceof SyntaxError) throw new SallyportError('BAD_FILE', `the customer file ${path} is not JSON`);
    throw error;
  }
}

/** A rename is durable when its directory is (fsync(2)). */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

function cannot(verb: 'read' | 'write', path: string, cause: unknown): SallyportError {
  if (cause instanceof SallyportError) return cause;
  const reason = isErrno(cause, 'ENOENT')
    ? verb === 'read'
      ? 'there is no such file'
      : 'there is no such directory'
    : cause instanceof Error
      ? cause.message
      : String(cause);
  return new SallyportError('BAD_FILE', `cannot ${verb} the customer file ${path}: ${reason}`, { cause });
}
