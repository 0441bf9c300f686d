import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { DEFAULT_SUITE_POLICY } from '../crypto/suite.ts';
import { parseNetwork } from './proxied-sockets.ts';

/** Every setting of the server: its name, schema, default and meaning in one row. The name is the flag, the key in the file, and,
 * upper case with SALLYPORT_ before it, the environment variable. */

export interface Setting<Schema extends z.ZodType = z.ZodType> {
  /** Takes what a file, the environment or a flag gives: text, or the TOML value. */
  readonly schema: Schema;
  readonly fallback: z.infer<Schema>;
  /** What would be right, for the message that names a wrong value: "a whole number from 0 to 65535". */
  readonly expects: string;
  readonly meaning: string;
}

function setting<Schema extends z.ZodType>(
  schema: Schema,
  fallback: z.infer<Schema>,
  expects: string,
  meaning: string,
): Setting<Schema> {
  return { schema, fallback, expects, meaning };
}

const WHOLE_NUMBER = /^\s*\d{1,15}\s*$/;

function wholeNumber(min: number, max: number, fallback: number, meaning: string) {
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' && WHOLE_NUMBER.test(raw) ? Number(raw) : raw),
    z.number().int().min(min).max(max),
  );
  return setting(schema, fallback, `a whole number from ${min} to ${max}`, meaning);
}

function text(pattern: RegExp, fallback: string, expects: string, meaning: string) {
  return setting(z.string().regex(pattern), fallback, expects, meaning);
}

/** One or more of `choices`, most wanted first; from text separated by commas. */
function choices<const Choice extends string>(all: readonly Choice[], fallback: readonly Choice[], meaning: string) {
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : raw),
    z
      .array(z.enum(all))
      .min(1)
      .refine((list) => new Set(list).size === list.length)
      .readonly(),
  );
  return setting(schema, fallback, `one or more of ${all.join(', ')}, most wanted first`, meaning);
}

function oneOf<const Choice extends string>(all: readonly Choice[], fallback: Choice, meaning: string) {
  return setting(z.enum(all), fallback, `one of ${all.join(', ')}`, meaning);
}

export type PortSupplySetting =
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'system'; readonly count: number };

const PORT_MIN = 1_024; // docs/PROTOCOL.md §3.3: customers refuse second ports below it
const PORT_MAX = 65_535;

function portSupply(fallback: string, meaning: string) {
  const schema = z.union([
    z
      .string()
      .regex(/^\d{1,5}-\d{1,5}$/)
      .transform((raw) => {
        const [first, last] = raw.split('-').map(Number);
        return { kind: 'range' as const, first: first!, last: last! };
      })
      .refine(({ first, last }) => first >= PORT_MIN && last <= PORT_MAX && first <= last),
    z
      .string()
      .regex(/^any:\d{1,5}$/)
      .transform((raw) => ({ kind: 'system' as const, count: Number(raw.slice(4)) }))
      .refine(({ count }) => count >= 1 && count <= PORT_MAX - PORT_MIN),
  ]);
  return setting(
    schema,
    schema.parse(fallback),
    `a range such as 20000-29999 within ${PORT_MIN}-${PORT_MAX}, or any:COUNT for ports that the system chooses`,
    meaning,
  );
}

const moduleList = setting(
  z.preprocess(
    (raw) =>
      typeof raw === 'string'
        ? raw
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '')
        : raw,
    z.array(z.string().min(1)).readonly(),
  ),
  [],
  'paths or package names of processor modules, separated by commas (a list in the file)',
  'modules that process further content types (docs/PROCESSORS.md)',
);

function adminPort(fallback: 'off' | number, meaning: string) {
  const schema = z.union([
    z.literal('off'),
    z.preprocess(
      (raw) => (typeof raw === 'string' && WHOLE_NUMBER.test(raw) ? Number(raw) : raw),
      z.number().int().min(0).max(PORT_MAX),
    ),
  ]);
  return setting(schema, fallback, `off, or a whole number from 0 to ${PORT_MAX}`, meaning);
}

function networkList(meaning: string) {
  const isNetwork = (text: string): boolean => {
    try {
      parseNetwork(text);
      return true;
    } catch {
      return false; // ipaddr.js throws on what it cannot parse; that is the answer here
    }
  };
  const schema = z.preprocess(
    (raw) =>
      typeof raw === 'string'
        ? raw
            .split(',')
            .map((part) => part.trim())
            .filter((part) => part !== '')
        : raw,
    z.array(z.string().refine(isNetwork)).readonly(),
  );
  return setting(
    schema,
    [],
    'addresses or networks such as 10.0.0.0/8, separated by commas (a list in the file)',
    meaning,
  );
}

/** Threads for exponentiation: one core stays for sockets and records. */
const THREADS_DEFAULT = Math.max(1, availableParallelism() - 1);

export const SETTINGS = {
  state: text(/./, './sallyport-state', 'a path', 'directory of host key, pepper and ledger'),
  host: text(
    /^\S+$/,
    '127.0.0.1',
    'an address of this machine, or 0.0.0.0 or :: for all',
    'address that both ports listen on',
  ),
  'first-port': wholeNumber(0, PORT_MAX, 7919, 'the first, well-known port; 0 lets the system choose'),
  'second-ports': portSupply('20000-29999', 'ports leased to one customer each'),
  'port-mode': oneOf(
    ['exclusive', 'shared'],
    'exclusive',
    'exclusive: a port of its own for every session; shared: many sessions on few ports, for containers',
  ),
  'shared-sessions-max': wholeNumber(1, 1_000_000, 10_000, 'sessions at once in shared mode'),
  'proxy-protocol-from': networkList(
    'proxies before the first port whose PROXY header (v1, v2) is required and believed; empty: none',
  ),
  'advertised-host': text(
    /^[\x21-\x7e]{0,64}$/,
    '',
    'an address or name of at most 64 ASCII characters',
    'second host told to customers, behind NAT; empty: the host they came to',
  ),
  backlog: wholeNumber(1, 65_535, 1_024, 'accept queue of the first port'),

  groups: choices(['ffdhe3072', 'ffdhe4096', 'ffdhe2048'], DEFAULT_SUITE_POLICY.groups, 'groups accepted'),
  kems: choices(
    ['ML-KEM-768', 'none'],
    DEFAULT_SUITE_POLICY.kems,
    'key encapsulation accepted; with none, ffdhe alone is enough',
  ),
  aeads: choices(['AES-256-GCM', 'ChaCha20-Poly1305'], DEFAULT_SUITE_POLICY.aeads, 'record ciphers accepted'),

  threads: wholeNumber(1, 256, THREADS_DEFAULT, 'worker threads for exponentiation'),
  kernel: oneOf(
    ['standard', 'quads'],
    'standard',
    'standard: pairs of exponentiations; quads: four at once by an experimental feature of V8, where it is faster',
  ),
  'crypto-queue': wholeNumber(1, 1_000_000, 1_024, 'exponentiations that may wait; beyond it customers are told BUSY'),

  'half-open-max': wholeNumber(1, 1_000_000, 8_192, 'customers not yet verified, all together'),
  'half-open-per-host': wholeNumber(
    1,
    1_000_000,
    4_096,
    'customers not yet verified from one host (IPv4 /32, IPv6 /64)',
  ),
  'half-open-per-network': wholeNumber(
    1,
    1_000_000,
    4_096,
    'customers not yet verified from one network (IPv4 /24, IPv6 /48)',
  ),
  'rate-per-host': wholeNumber(0, 1_000_000, 0, 'new sessions a second and host; 0: no limit'),
  'burst-per-host': wholeNumber(1, 1_000_000, 100, 'new sessions of one host before its rate counts'),

  'hello-timeout-ms': wholeNumber(10, 600_000, 3_000, 'from accept at the first port to the whole HELLO'),
  'lease-ms': wholeNumber(10, 600_000, 10_000, 'from OFFER to the claim at the second port'),
  'customer-key-timeout-ms': wholeNumber(
    10,
    600_000,
    5_000,
    'from accept at the second port to the whole CUSTOMER_KEY',
  ),
  'auth-timeout-ms': wholeNumber(10, 600_000, 5_000, 'from the keys to the whole AUTH'),
  'idle-timeout-ms': wholeNumber(10, 3_600_000, 30_000, 'from the last answer to the next request'),
  'session-timeout-ms': wholeNumber(10, 86_400_000, 120_000, 'from the keys to the end of the session'),
  'linger-timeout-ms': wholeNumber(10, 60_000, 2_000, 'from CLOSE or ERROR to the end of the connection'),
  'drain-ms': wholeNumber(0, 3_600_000, 10_000, 'how long a stop waits for sessions to end'),

  'admin-host': text(
    /^\S+$/,
    '127.0.0.1',
    'an address of this machine',
    'address of the admin page, metrics and health; not loopback: a token is asked for (docs/OPERATIONS.md)',
  ),
  'admin-port': adminPort('off', 'port of the admin page, metrics and health; 0 lets the system choose'),

  'ledger-check': oneOf(
    ['full', 'tail'],
    'full',
    'before the start, full: every page of the ledger is looked at; tail: its length and newest entries, where that takes too long',
  ),
  processors: moduleList,
  'log-level': oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info', 'least level of the log'),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The configuration in force: a value for every setting. */
export type ServerConfiguration = { readonly [Name in SettingName]: z.infer<(typeof SETTINGS)[Name]['schema']> };

/** The environment variable of a setting: SALLYPORT_FIRST_PORT. */
export function environmentName(name: SettingName): string {
  return `SALLYPORT_${name.replaceAll('-', '_').toUpperCase()}`;
}
