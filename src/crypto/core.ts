/** The WebAssembly core as TypeScript sees it: its ABI (assembly/index.ts), loaded from bytes, with its two staging zones as views. */

import { instantiateSync } from '@assemblyscript/loader';
import { assert } from '../errors.ts';

/** The ABI this file was written for; assembly/index.ts states the same number. */
const ABI_VERSION = 3;

type CoreAbi = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly ABI_VERSION: { readonly value: number };
  readonly FEATURES: { readonly value: number };
  readonly LANES: { readonly value: number };
  readonly BATCH_MAX: { readonly value: number };
  readonly stagingIn: { readonly value: number };
  readonly stagingOut: { readonly value: number };
  readonly stagingSize: { readonly value: number };
  prepare(group: number): void;
  prepareTable(group: number, kind: number): void;
  multiplyAddIsFused(): number;
  fixedBase(group: number, count: number, exponentLength: number): void;
  variableBase(group: number, count: number, exponentLength: number): void;
  sha256(length: number): void;
  hmac(keyLength: number, length: number): void;
  hkdfExpand(prkLength: number, infoLength: number, length: number): void;
  sha256Prefixes(count: number): void;
  hkdfExpandEach(prkLength: number, count: number): void;
  sha256Begin(): void;
  sha256Update(length: number): void;
  sha256End(): void;
  hmacBegin(keyLength: number): void;
  hmacUpdate(length: number): void;
  hmacNext(): void;
  hmacEnd(): void;
};

/** One instance of the core. It works on one call at a time and keeps nothing between calls but public tables. */
export interface Core {
  readonly abi: CoreAbi;
  /** Arguments; whoever writes them wipes them. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** Results; whoever reads them wipes them. */
  readonly output: Uint8Array<ArrayBuffer>;
  /** Items a batch may hold. */
  readonly batchMax: number;
  /** Numbers one pass of the kernel carries. */
  readonly lanes: number;
}

/** Compiles and instantiates a core; throws what WebAssembly throws when the engine cannot (an unknown instruction, for one). */
export function instantiateCore(bytes: Uint8Array<ArrayBuffer>): Core {
  const abi: CoreAbi = instantiateSync<CoreAbi>(bytes).exports;
  assert(abi.ABI_VERSION.value === ABI_VERSION, `core ABI ${abi.ABI_VERSION.value} where ${ABI_VERSION} is spoken`);
  const size = abi.stagingSize.value;
  return {
    abi,
    input: new Uint8Array(abi.memory.buffer, abi.stagingIn.value, size),
    output: new Uint8Array(abi.memory.buffer, abi.stagingOut.value, size),
    batchMax: abi.BATCH_MAX.value,
    lanes: abi.LANES.value,
  };
}
