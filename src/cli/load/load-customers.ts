/** The customers that take part in a load run: enrolled for it, or read from a file that an earlier run kept. */

import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { authOf, type CustomerPolicy } from '../../customer/customer-identity.ts';
import { DEFAULT_POLICY } from '../../customer/index.ts';
import { SallyportError } from '../../errors.ts';
import { digestIdentity, type PepperRing } from '../../ledger/identity.ts';
import type { LedgerService } from '../../ledger/service.ts';
import { CREDENTIAL_BYTES, TRANSACTION_ID_BYTES } from '../../limits.ts';
import type { LoadCustomer } from '../../load/driver.ts';

/** Where customers are made: a state directory's ledger, or a running server's. */
export interface EnrolmentDesk {
  readonly ledger: Pick<LedgerService, 'enroll' | 'openAccount' | 'fund'>;
  readonly peppers: PepperRing;
  /** Ed25519 public key, 32 bytes. */
  readonly hostKey: Uint8Array;
}

export interface Enrolment {
  readonly count: number;
  readonly currency: string;
  readonly policy: Pick<CustomerPolicy, 'groups' | 'kems'>;
  readonly server: { readonly host: string; readonly port: number };
  readonly onProgress: (done: number) => void;
}

/** What each account is given, in minor units: ten million payments of the smallest amount. */
const FUNDS = 1_000_000_000n;

/** Makes customers of this run alone, each with a funded account, and one account that all of them pay to. */
export async function enrollForRun(state: EnrolmentDesk, enrolment: Enrolment): Promise<LoadCustomer[]> {
  const { ledger, peppers, hostKey } = state;
  const run = `load-${randomBytes(4).toString('hex')}`;
  const to = `${run}.payee`;
  const customers: LoadCustomer[] = [];
  for (let index = 0; index < enrolment.count; index += 1) {
    const customerId = `${run}-${index + 1}`;
    const identity = {
      customerId,
      profile: { purpose: 'load test' },
      credential: new Uint8Array(randomBytes(CREDENTIAL_BYTES)),
      server: enrolment.server,
      hostKey,
      policy: { ...DEFAULT_POLICY, ...enrolment.policy },
    };
    const presented = authOf(identity);
    await ledger.enroll({ id: customerId, ...digestIdentity(peppers, presented) });
    presented.credential.fill(0);
    const from = `${customerId}.account`;
    if (index === 0) await ledger.openAccount({ id: to, owner: customerId, currency: enrolment.currency });
    await ledger.openAccount({ id: from, owner: customerId, currency: enrolment.currency });
    await ledger.fund({
      account: from,
      amount: FUNDS,
      transactionId: new Uint8Array(randomBytes(TRANSACTION_ID_BYTES)),
    });
    customers.push({ identity, from, to });
    enrolment.onProgress(index + 1);
  }
  return customers;
}

const bytes = (length: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${length * 2}}$`))
    .transform((hex) => new Uint8Array(Buffer.from(hex, 'hex')));

const fileSchema = z.strictObject({
  sallyport: z.literal('load-customers'),
  version: z.literal(1),
  server: z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65_535) }),
  hostKey: bytes(32),
  groups: z.array(z.enum(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'])).min(1),
  kems: z.array(z.enum(['ML-KEM-768', 'none'])).min(1),
  customers: z
    .array(
      z.strictObject({
        customer: z.string().min(1),
        profile: z.record(z.string(), z.string()),
        credential: bytes(CREDENTIAL_BYTES),
        from: z.string().min(1),
        to: z.string().min(1),
      }),
    )
    .min(1),
});

const OTHERS_MAY_READ = 0o077;

/** One file for all customers, mode 0600, so that another machine can make the load. Never replaces a file. */
export async function writeLoadCustomers(path: string, customers: readonly LoadCustomer[]): Promise<void> {
  const { server, hostKey, policy } = customers[0]!.identity;
  const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
  const document = {
    sallyport: 'load-customers',
    version: 1,
    server,
    hostKey: hex(hostKey!),
    groups: policy.groups,
    kems: policy.kems,
    customers: customers.map(({ identity, from, to }) => ({
      customer: identity.customerId,
      profile: identity.profile,
      credential: hex(identity.credential),
      from,
      to,
    })),
  };
  await writeFile(path, `${JSON.stringify(document)}\n`, { mode: 0o600, flag: 'wx' }).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') throw new SallyportError('ALREADY_EXISTS', `${path} is there already`);
      throw new SallyportError('BAD_FILE', `${path} cannot be written: ${cause.code ?? cause.message}`, { cause });
    },
  );
}

/** Throws BAD_FILE that names the first member which is not right. */
export async function readLoadCustomers(path: string): Promise<LoadCustomer[]> {
  const text = await readPrivate(path);
  const read = fileSchema.safeParse(jsonOf(text));
  if (!read.success) {
    const issue = read.error.issues[0]!;
    // The path of the member and not its value: a credential stays out of the message.
    throw new SallyportError(
      'BAD_FILE',
      `${path} is no file of load customers: ${issue.path.join('.') || 'the document'} is not right`,
    );
  }
  const { server, hostKey, groups, kems, customers } = read.data;
  return customers.map(({ customer, profile, credential, from, to }) => ({
    identity: {
      customerId: customer,
      profile,
      credential,
      server,
      hostKey,
      policy: { ...DEFAULT_POLICY, groups, kems },
    },
    from,
    to,
  }));
}

async function readPrivate(path: string): Promise<string> {
  try {
    if (process.platform !== 'win32' && ((await stat(path)).mode & OTHERS_MAY_READ) !== 0) {
      throw new SallyportError('BAD_FILE', `${path} holds credentials and other users can read it: chmod 600 ${path}`);
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof SallyportError) throw cause;
    throw new SallyportError('BAD_FILE', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
