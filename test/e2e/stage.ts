import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import {
  Customer,
  type CustomerIdentity,
  type CustomerOptions,
  type CustomerPolicy,
  DEFAULT_POLICY,
} from '../../src/customer/index.ts';
import { digestIdentity } from '../../src/ledger/identity.ts';
import { SecurityServer } from '../../src/server/index.ts';
import type { ServerConfiguration } from '../../src/server/settings.ts';

/** A server on ports the system gives, with its state in a folder of its own, and customers that were enrolled there. */
export class Stage {
  readonly folder: string;
  server: SecurityServer;
  readonly #configuration: Partial<ServerConfiguration>;
  readonly #logger: Logger | undefined;

  private constructor(
    folder: string,
    configuration: Partial<ServerConfiguration>,
    logger: Logger | undefined,
    server: SecurityServer,
  ) {
    this.folder = folder;
    this.#configuration = configuration;
    this.#logger = logger;
    this.server = server;
  }

  static async open(overrides: Partial<ServerConfiguration> = {}, logger?: Logger): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-stage-'));
    const configuration: Partial<ServerConfiguration> = {
      state: join(folder, 'state'),
      'first-port': 0,
      'second-ports': { kind: 'system', count: 32 },
      groups: ['ffdhe2048', 'ffdhe3072', 'ffdhe4096'],
      kems: ['ML-KEM-768', 'none'],
      'linger-timeout-ms': 500,
      ...overrides,
    };
    return new Stage(folder, configuration, logger, await startServer(configuration, logger));
  }

  /** Stops the server and starts it again over the same state; its first port may be another one. */
  async restart(overrides: Partial<ServerConfiguration> = {}): Promise<void> {
    await this.server.stop({ drainMs: 0 });
    this.server = await startServer({ ...this.#configuration, ...overrides }, this.#logger);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop({ drainMs: 0 });
    rmSync(this.folder, { recursive: true });
  }

  /** Enrolls a customer with an account `ID.eur` that holds `fundedCents`. */
  async enroll(customerId: string, fundedCents = 0n): Promise<CustomerIdentity> {
    const { ledger, state } = this.server;
    const profile = { email: `${customerId}@example.com`, born: '1990-01-31' };
    const credential = new Uint8Array(randomBytes(32));
    const fields = Object.entries(profile)
      .sort()
      .map(([tag, value]) => ({ tag, value: Buffer.from(value) }));
    const peppers = { current: state.pepperVersion, byVersion: state.peppers };
    await ledger.enroll({ id: customerId, ...digestIdentity(peppers, { customerId, profile: fields, credential }) });
    await ledger.openAccount({ id: `${customerId}.eur`, owner: customerId, currency: 'EUR' });
    if (fundedCents > 0n)
      await ledger.fund({ account: `${customerId}.eur`, amount: fundedCents, transactionId: randomBytes(16) });
    return {
      customerId,
      profile,
      credential,
      server: { host: '127.0.0.1', port: this.server.address.port },
      hostKey: state.hostPublicKey,
      policy: LIGHT_POLICY,
    };
  }

  customer(identity: CustomerIdentity, options: CustomerOptions = {}): Customer {
    const server = { host: '127.0.0.1', port: this.server.address.port };
    return new Customer({ ...identity, server }, { retryForMs: 0, ...options });
  }

  async balances(...customerIds: string[]): Promise<bigint[]> {
    return Promise.all(customerIds.map(async (id) => (await this.server.ledger.balances(id))[0]!.balance));
  }
}

function startServer(configuration: Partial<ServerConfiguration>, logger: Logger | undefined): Promise<SecurityServer> {
  return SecurityServer.start({ configuration, ...(logger === undefined ? {} : { logger }) });
}

/** The smallest group: where the exponentiation is not what is tested. */
export const LIGHT_POLICY: CustomerPolicy = { ...DEFAULT_POLICY, groups: ['ffdhe2048'] };

/** Open descriptors of this process. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
