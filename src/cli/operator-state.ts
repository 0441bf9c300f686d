/** What the operator's commands work on: the server's state directory, with the server running beside them or not. */

import { Option } from 'commander';
import { rawHostPublicKey } from '../crypto/identity.ts';
import type { PepperRing } from '../ledger/identity.ts';
import { Ledger } from '../ledger/ledger.ts';
import { createProcessorRegistry } from '../ledger/processor-registry.ts';
import { createReceiptSigner, type ReceiptKeys, receiptKeys } from '../ledger/receipts.ts';
import { SqliteStorage } from '../ledger/storage/sqlite.ts';
import type { LedgerStorage } from '../ledger/storage/storage.ts';
import { resolveConfiguration } from '../server/configuration.ts';
import type { ServerConfiguration } from '../server/settings.ts';
import { openStateDirectory, peppersGone, type StateDirectory } from '../server/state-directory.ts';

export interface OperatorOptions {
  readonly state?: string;
  readonly config?: string;
}

/** --state, as serve has it; its default is serve's, from file and environment as well. */
export function stateOption(): Option {
  return new Option('--state <directory>', "the server's state directory (default: as serve finds it)");
}

/** --config: the server's configuration file, which may name the state directory and the first port. */
export function configOption(): Option {
  return new Option('--config <file>', "the server's configuration file (default: as serve finds it)");
}

export interface OperatorState {
  readonly ledger: Ledger;
  readonly storage: LedgerStorage;
  /** The state directory's path. */
  readonly directory: string;
  readonly peppers: PepperRing;
  /** Ed25519 public keys, 32 bytes. */
  readonly hostKey: Uint8Array;
  readonly nextHostKey: Uint8Array | undefined;
  /** Where customers of this machine find the first port, by the configuration. */
  readonly firstPort: { readonly host: string; readonly port: number };
  /** The second host that offers name, when one is configured. */
  readonly advertisedHost: string | undefined;
}

/** The ledger opened for writing: commits of a running server and of this command take turns. */
export async function withOperatorState<Result>(
  options: OperatorOptions,
  work: (state: OperatorState) => Promise<Result>,
  { pepperNeeded = true }: { readonly pepperNeeded?: boolean } = {},
): Promise<Result> {
  const { configuration, directory } = openOperatorDirectory(options);
  if (pepperNeeded && directory.pepperVersion === 0) throw peppersGone(directory.path);
  // Not every page for every command: a server's start, and `ledger verify`, look at all of it.
  const storage = new SqliteStorage({ path: directory.ledgerPath, check: 'tail' });
  await storage.open();
  const ledger = new Ledger({
    storage,
    processors: createProcessorRegistry(),
    signer: createReceiptSigner(directory.hostKey),
  });
  try {
    return await work({
      ledger,
      storage,
      directory: directory.path,
      peppers: { current: directory.pepperVersion, byVersion: directory.peppers },
      hostKey: directory.hostPublicKey,
      nextHostKey: directory.nextHostKey === undefined ? undefined : rawHostPublicKey(directory.nextHostKey),
      firstPort: firstPortOf(configuration),
      advertisedHost: configuration['advertised-host'] || undefined,
    });
  } finally {
    await ledger.close();
    wipe(directory);
  }
}

/** The ledger opened for reading, damaged or not, with all keys that its receipts may be signed by. */
export async function withLedgerFile<Result>(
  options: OperatorOptions,
  work: (file: { readonly storage: LedgerStorage; readonly receiptKeys: ReceiptKeys }) => Promise<Result>,
): Promise<Result> {
  const { directory } = openOperatorDirectory(options);
  const storage = new SqliteStorage({ path: directory.ledgerPath, readOnly: true });
  await storage.open();
  try {
    return await work({ storage, receiptKeys: receiptKeys([directory.hostPublicKey, ...directory.retiredHostKeys]) });
  } finally {
    await storage.close();
    wipe(directory);
  }
}

/** The state directory that the options, environment and configuration file name. */
export function openOperatorDirectory(options: OperatorOptions): {
  readonly configuration: ServerConfiguration;
  readonly directory: StateDirectory;
} {
  const { configuration } = resolveConfiguration({
    file: options.config,
    environment: process.env,
    flags: options.state === undefined ? {} : { state: options.state },
  });
  return { configuration, directory: openStateDirectory(configuration.state) };
}

function wipe(directory: StateDirectory): void {
  for (const pepper of directory.peppers.values()) pepper.fill(0);
}

/** An address to listen on everywhere is none to connect to: this machine is meant, unless another name is advertised. */
function firstPortOf(configuration: ServerConfiguration): { host: string; port: number } {
  const { host, 'advertised-host': advertised, 'first-port': port } = configuration;
  if (advertised !== '') return { host: advertised, port };
  return { host: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host, port };
}
