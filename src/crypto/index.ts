/** `sallyport/crypto`: finite-field Diffie-Hellman over the ffdhe groups, SHA-256, HMAC and HKDF on the WebAssembly core. */

import { readFileSync } from 'node:fs';
import { instantiateCore } from './core.ts';
import { createHashing, type Hashing } from './core-hash.ts';
import { createExponentiation, type Exponentiation } from './core-modexp.ts';
import { GROUPS, type GroupName } from './groups.ts';

export type { Hashing } from './core-hash.ts';
export type { BatchResult, Exponentiation, SharedValueInput } from './core-modexp.ts';
export type { GroupName } from './groups.ts';

/** Which kernel runs. */
export interface KernelReport {
  readonly name: string;
  /** Numbers one pass carries: batches of shared values are cheapest in multiples of it. */
  readonly lanes: number;
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
 * The core of this thread. May be called any number of times: the instance is made once and shared, which is safe, since every call
 * is synchronous and leaves nothing secret behind.
 */
export function loadCrypto(): Promise<Crypto> {
  const key = 'scalar';
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const promise = Promise.resolve().then(() =>
    createCrypto(readFileSync(new URL('../../build/scalar.wasm', import.meta.url))),
  );
  loaded.set(key, promise);
  return promise;
}

function createCrypto(bytes: Uint8Array<ArrayBuffer>): Crypto {
  const core = instantiateCore(bytes);
  const exponentiation = createExponentiation(core);
  return {
    ...exponentiation,
    ...createHashing(core),
    kernel: { name: 'scalar', lanes: core.lanes },
    warmUp: (groups = ['ffdhe2048', 'ffdhe3072', 'ffdhe4096']) => {
      for (const name of groups) warmUpGroup(exponentiation, core.lanes, name);
    },
  };
}

/** Calls before V8 has optimized the kernel: its budget (13 MB of executed code by default) is used up by a few exponentiations. */
const WARM_UP_ROUNDS = 8;

function warmUpGroup(exponentiation: Exponentiation, lanes: number, name: GroupName): void {
  const { byteLength, exponentByteLength } = GROUPS[name];
  const exponent = new Uint8Array(exponentByteLength).fill(0xa5);
  const peerPublicValue = new Uint8Array(byteLength).fill(0x5a);
  const pair = { exponent, peerPublicValue };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    exponentiation.publicValues(name, Array<Uint8Array>(lanes).fill(exponent));
    exponentiation.sharedValues(name, Array<typeof pair>(lanes).fill(pair));
  }
}
