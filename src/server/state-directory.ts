import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { rawHostPublicKey } from '../crypto/identity.ts';
import { assert, SallyportError } from '../errors.ts';

/**
 * The server's state on disk.
 *
 *   host-key.pem            Ed25519, PKCS #8; signs offers and receipts          0600
 *   next-host-key.pem       the key that will follow, announced in every OFFER   0600, only during a change
 *   retired-host-keys       public keys of the past, base64, a line each: their receipts stay verifiable
 *   pepper.1, pepper.2 ...  32 bytes; the highest keys new enrolments            0600
 *   admin-token             what a page or scraper that is not on this machine must show           0600, only if one was asked for
 *   ledger.sqlite           accounts, transactions, receipts, enrolled digests: no secret without a pepper
 *
 * The directory is 0700. Files are written whole: to a temporary name, synced, then linked or renamed into place.
 */
export interface StateDirectory {
  readonly path: string;
  readonly ledgerPath: string;
  readonly hostKey: KeyObject;
  /** Ed25519 public key, 32 bytes. */
  readonly hostPublicKey: Uint8Array;
  readonly nextHostKey: KeyObject | undefined;
  /** Public keys, 32 bytes each, newest last. */
  readonly retiredHostKeys: readonly Uint8Array[];
  /** By version; secret. */
  readonly peppers: ReadonlyMap<number, Uint8Array>;
  /** The version that new enrolments use; 0 when there is no pepper, which only a directory opened without `create` may lack. */
  readonly pepperVersion: number;
  /** What was made by this opening: nothing, when all was there. */
  readonly created: readonly string[];
}

const HOST_KEY = 'host-key.pem';
const NEXT_HOST_KEY = 'next-host-key.pem';
const RETIRED_HOST_KEYS = 'retired-host-keys';
const ADMIN_TOKEN = 'admin-token';
const ADMIN_TOKEN_BYTES = 32;
const LEDGER = 'ledger.sqlite';
const PEPPER_BYTES = 32;
const OTHERS = 0o077;

/**
 * Opens the directory, making what is missing when `create` is given. Errors: NOT_FOUND (no state there), BAD_FILE (permissions that let
 * others read a secret, a damaged file, or no pepper beside a ledger): what is there is never overwritten.
 */
export function openStateDirectory(path: string, options: { readonly create?: boolean } = {}): StateDirectory {
  const created: string[] = [];
  const ensure = (name: string, make: () => Buffer): void => {
    if (existsSync(join(path, name))) return;
    if (options.create !== true) throw notFound(join(path, name));
    const bytes = make();
    // Two processes that start at once: the second finds the file there and uses it.
    if (writeNew(path, name, bytes)) created.push(join(path, name));
    bytes.fill(0);
  };
  if (!existsSync(path)) {
    if (options.create !== true) throw notFound(path);
    attempt(path, 'made', () => mkdirSync(path, { recursive: true, mode: 0o700 }));
    created.push(path);
  }
  ensure(HOST_KEY, newHostKey);
  if (options.create === true && pepperVersions(path).length === 0) {
    // Another pepper under an old one's number would refuse every customer, and nothing would say why.
    if (existsSync(join(path, LEDGER))) throw peppersGone(path);
    ensure(pepperName(1), () => randomBytes(PEPPER_BYTES));
  }
  const hostKey = readHostKey(join(path, HOST_KEY));
  const peppers = new Map(
    pepperVersions(path).map((version) => [version, readPepper(join(path, pepperName(version)))]),
  );
  const next = join(path, NEXT_HOST_KEY);
  return {
    path,
    ledgerPath: join(path, LEDGER),
    hostKey,
    hostPublicKey: rawHostPublicKey(hostKey),
    nextHostKey: existsSync(next) ? readHostKey(next) : undefined,
    retiredHostKeys: readRetired(join(path, RETIRED_HOST_KEYS)),
    peppers,
    pepperVersion: Math.max(0, ...peppers.keys()),
    created,
  };
}

/** Makes the key that will follow the host key; servers announce it from their next start or reload. ALREADY_EXISTS when there is one. */
export function announceNextHostKey(path: string): Uint8Array {
  const bytes = newHostKey();
  if (!writeNew(path, NEXT_HOST_KEY, bytes))
    throw new SallyportError(
      'ALREADY_EXISTS',
      `${join(path, NEXT_HOST_KEY)} is announced already: complete or cancel that change first`,
    );
  bytes.fill(0);
  return rawHostPublicKey(readHostKey(join(path, NEXT_HOST_KEY)));
}

/** Takes the announced key into use; the old one's public half is kept for its receipts. NOT_FOUND when none was announced. */
export function adoptNextHostKey(path: string): { readonly retired: Uint8Array; readonly current: Uint8Array } {
  const next = join(path, NEXT_HOST_KEY);
  if (!existsSync(next)) throw nothingAnnounced(next);
  const current = rawHostPublicKey(readHostKey(next));
  const retired = rawHostPublicKey(readHostKey(join(path, HOST_KEY)));
  // First the public key of the past, then the change: cut off between the two, the old key stays in use and is listed once more.
  const known = readRetired(join(path, RETIRED_HOST_KEYS)).filter((key) => Buffer.compare(key, retired) !== 0);
  const lines = [...known, retired].map((key) => `${Buffer.from(key).toString('base64')}\n`);
  replace(path, RETIRED_HOST_KEYS, Buffer.from(lines.join('')));
  attempt(next, 'renamed', () => renameSync(next, join(path, HOST_KEY)));
  syncDirectory(path);
  return { retired, current };
}

/** Forgets the announced key. NOT_FOUND when there is none. */
export function cancelNextHostKey(path: string): void {
  const next = join(path, NEXT_HOST_KEY);
  if (!existsSync(next)) throw nothingAnnounced(next);
  attempt(next, 'removed', () => rmSync(next));
  syncDirectory(path);
}

/** What to say of a state directory whose ledger is there and whose peppers are not. */
export function peppersGone(path: string): SallyportError {
  return new SallyportError(
    'BAD_FILE',
    `${path} has a ledger and no pepper.* beside it: restore them from their copy; if they are lost, ` +
      '"sallyport keys pepper --next" makes another, and every customer is enrolled anew (enroll --replace)',
  );
}

/** Makes the next pepper, which new enrolments use from then on; never replaces one, nor takes a number in `used`. The version it got. */
export function makeNextPepper(path: string, used: Iterable<number> = []): number {
  const version = Math.max(0, ...pepperVersions(path), ...used) + 1;
  const bytes = randomBytes(PEPPER_BYTES);
  const made = writeNew(path, pepperName(version), bytes);
  bytes.fill(0);
  if (!made)
    throw new SallyportError(
      'ALREADY_EXISTS',
      `${join(path, pepperName(version))} was made by another process in this moment`,
    );
  return version;
}

/**
 * Takes a pepper away for good. `countUses` says how many enrolments need it; it is asked again when the file has another name, so that an
 * enrolment made meanwhile brings it back. Errors: NOT_FOUND, and STILL_USED for one in use and for the newest.
 */
export async function removePepper(path: string, version: number, countUses: () => Promise<number>): Promise<void> {
  const file = join(path, pepperName(version));
  const versions = pepperVersions(path);
  if (!versions.includes(version)) throw new SallyportError('NOT_FOUND', `${file} does not exist`);
  if (version === Math.max(...versions))
    throw new SallyportError('STILL_USED', `pepper ${version} is the newest: the next enrolment uses it`);
  const refuseUses = async (): Promise<void> => {
    const uses = await countUses();
    if (uses > 0)
      throw new SallyportError(
        'STILL_USED',
        `pepper ${version} is needed by ${uses} ${uses === 1 ? 'enrolment' : 'enrolments'}`,
      );
  };
  await refuseUses();
  const aside = `${file}.removing`;
  attempt(file, 'renamed', () => renameSync(file, aside));
  try {
    await refuseUses();
  } catch (error) {
    attempt(aside, 'renamed', () => renameSync(aside, file));
    throw error;
  } finally {
    syncDirectory(path);
  }
  attempt(aside, 'removed', () => rmSync(aside));
  syncDirectory(path);
}

/** The admin server's token: 256 random bits as text, made when there is none. BAD_FILE when others can read it, or it was cut short. */
export function openAdminToken(path: string): string {
  attempt(path, 'made', () => mkdirSync(path, { recursive: true, mode: 0o700 }));
  const file = join(path, ADMIN_TOKEN);
  if (!existsSync(file))
    writeNew(path, ADMIN_TOKEN, Buffer.from(`${randomBytes(ADMIN_TOKEN_BYTES).toString('hex')}\n`));
  const token = readSecret(file).toString('utf8').trim();
  if (/^\S+$/.test(token) && token.length >= ADMIN_TOKEN_BYTES) return token;
  throw new SallyportError(
    'BAD_FILE',
    `${file} is not one word of at least ${ADMIN_TOKEN_BYTES} characters; remove it, and a new one is made`,
  );
}

function newHostKey(): Buffer {
  return Buffer.from(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
}

function readHostKey(path: string): KeyObject {
  const bytes = readSecret(path);
  try {
    const key = createPrivateKey(bytes);
    assert(key.asymmetricKeyType === 'ed25519', 'a host key is an Ed25519 key');
    return key;
  } catch {
    // Not passed on: the cause of a parse error may quote the file.
    throw new SallyportError('BAD_FILE', `${path} is not an Ed25519 private key in PEM; restore it from a backup`);
  } finally {
    bytes.fill(0);
  }
}

function readPepper(path: string): Uint8Array {
  const bytes = readSecret(path);
  if (bytes.length === PEPPER_BYTES) return bytes;
  throw new SallyportError(
    'BAD_FILE',
    `${path} has ${bytes.length} bytes and a pepper has ${PEPPER_BYTES}; restore it from a backup`,
  );
}

function readSecret(path: string): Buffer {
  return attempt(path, 'read', () => {
    const mode = statSync(path).mode & 0o777;
    if ((mode & OTHERS) !== 0) {
      const shown = mode.toString(8).padStart(4, '0');
      throw new SallyportError(
        'BAD_FILE',
        `${path} has mode ${shown}, which lets others read it; run chmod 600 ${path}, and rotate it if somebody may have`,
      );
    }
    return readFileSync(path);
  });
}

function readRetired(path: string): Uint8Array[] {
  if (!existsSync(path)) return [];
  const lines = attempt(path, 'read', () => readFileSync(path, 'utf8')).split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const key = Buffer.from(line, 'base64');
      if (key.length !== 32)
        throw new SallyportError('BAD_FILE', `${path}: a line is not a public key of 32 bytes in base64`);
      return new Uint8Array(key);
    });
}

function pepperName(version: number): string {
  return `pepper.${version}`;
}

/** The peppers that are there, by their names alone. */
export function pepperVersions(path: string): number[] {
  return attempt(path, 'read', () => readdirSync(path))
    .map((name) => /^pepper\.([1-9]\d{0,8})$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .map(Number);
}

/** Writes a file that is not there yet, whole and durable; false when it is there by now. */
function writeNew(path: string, name: string, bytes: Buffer): boolean {
  const temporary = writeTemporary(path, name, bytes);
  try {
    linkSync(temporary, join(path, name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw fileError(join(path, name), 'written', error);
  } finally {
    unlinkSync(temporary);
    syncDirectory(path);
  }
}

function replace(path: string, name: string, bytes: Buffer): void {
  const temporary = writeTemporary(path, name, bytes);
  attempt(join(path, name), 'written', () => renameSync(temporary, join(path, name)));
  syncDirectory(path);
}

function writeTemporary(path: string, name: string, bytes: Buffer): string {
  const temporary = join(path, `.${name}.${randomBytes(6).toString('hex')}`);
  attempt(temporary, 'written', () => {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      chmodSync(temporary, 0o600); // whatever the umask says
      writeSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  });
  return temporary;
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function attempt<Result>(path: string, what: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw error instanceof SallyportError ? error : fileError(path, what, error);
  }
}

function fileError(path: string, what: string, cause: unknown): SallyportError {
  return new SallyportError('BAD_FILE', `${path} could not be ${what}: ${(cause as Error).message}`, { cause });
}

function nothingAnnounced(next: string): SallyportError {
  return new SallyportError(
    'NOT_FOUND',
    `${next} does not exist: no next host key is announced; "sallyport keys rotate" announces one`,
  );
}

function notFound(path: string): SallyportError {
  return new SallyportError(
    'NOT_FOUND',
    `${path} does not exist; "sallyport serve" makes it, or name the state directory with --state`,
  );
}
