/** `sallyport/crypto`: finite-field Diffie-Hellman over the ffdhe groups, SHA-256, HMAC and HKDF on the WebAssembly core. */

import { createHashing, type Hashing } from './core-hash.ts';
import { createExponentiation, type Exponentiation, type FixedBase } from './core-modexp.ts';
import { GROUP_NAMES, GROUPS, type GroupName } from './groups.ts';
import { chooseKernel, type KernelChoice, type KernelName, type KernelReport } from './kernel.ts';

export type { Hashing } from './core-hash.ts';
export type { BatchResult, Exponentiation, FixedBase, SharedValueInput } from './core-modexp.ts';
export type { GroupName } from './groups.ts';
export type { KernelName, KernelReport, RejectedKernel } from './kernel.ts';

export interface CryptoOptions {
  /** How powers of g are made; `windows` when not given. */
  readonly fixedBase?: FixedBase;
  /** This kernel or none; when not given, the best that passes its self-test. */
  readonly kernel?: KernelName;
  /**
   * Whether the kernel of four numbers is a candidate: twice the speed for batches of three and more. It switches on an experimental
   * part of V8 for the whole process (--experimental-wasm-revectorize), and costs a third of a second of timing at load, after which
   * it is used only if it is right and faster. Off when not given.
   */
  readonly quads?: boolean;
}

/**
 * The core, loaded: every method is synchronous, leaves its arguments as they are, returns fresh copies, and wipes what it put into
 * WebAssembly memory before it returns.
 */
export interface Crypto extends Exponentiation, Hashing {
  readonly kernel: KernelReport;
  /**
   * Runs enough exponentiations of the named groups (all, when none is named) that the engine's optimizing compiler has taken over,
   * and makes their tables. First calls run ten times slower: a server calls this before it listens.
   */
  warmUp(groups?: readonly GroupName[]): void;
}

const loaded = new Map<string, Promise<Crypto>>();

/**
 * The core of this thread. May be called any number of times: for the same options the instance is made once and shared, which is
 * safe, since every call is synchronous and leaves nothing secret behind. Errors: BAD_CONFIGURATION when the kernel asked for does not
 * pass its self-test here.
 */
export function loadCrypto({ fixedBase = 'windows', kernel, quads = false }: CryptoOptions = {}): Promise<Crypto> {
  const key = `${fixedBase} ${kernel ?? 'best'} ${quads}`;
  let promise = loaded.get(key);
  if (promise === undefined) {
    promise = Promise.resolve().then(() => createCrypto(fixedBase, { only: kernel, quads }));
    loaded.set(key, promise);
  }
  return promise;
}

function createCrypto(fixedBase: FixedBase, choice: KernelChoice): Crypto {
  const { core, report } = chooseKernel(choice);
  const exponentiation = createExponentiation(core, fixedBase);
  return {
    ...exponentiation,
    ...createHashing(core),
    kernel: report,
    warmUp: (groups = GROUP_NAMES) => {
      for (const name of groups) warmUpGroup(exponentiation, core.lanes, name);
    },
  };
}

/** V8 optimizes a function after about 13 MB of executed code by its own count: a few exponentiations of each kind. */
const WARM_UP_ROUNDS = 8;

function warmUpGroup(exponentiation: Exponentiation, lanes: number, name: GroupName): void {
  const { byteLength, exponentByteLength } = GROUPS[name];
  const exponent = new Uint8Array(exponentByteLength).fill(0xa5);
  const peerPublicValue = new Uint8Array(byteLength).fill(0x5a);
  const pair = { exponent, peerPublicValue };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (let count = 1; count <= lanes; count *= 2) {
      exponentiation.publicValues(name, Array<Uint8Array>(count).fill(exponent));
      exponentiation.sharedValues(name, Array<typeof pair>(count).fill(pair));
    }
  }
}
