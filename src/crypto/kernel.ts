/**
 * Which build of the core runs. Builds differ in their arithmetic; all have one ABI. A candidate is used only after it has passed a
 * self-test in this process: first that its multiply-add is fused (WebAssembly's relaxed SIMD leaves that to the host), then known
 * exponentiations, each size of batch against BigInt. What fails is reported with its reason and never used.
 */

import { readFileSync } from 'node:fs';
import { SallyportError } from '../errors.ts';
import { type Core, instantiateCore } from './core.ts';
import { createExponentiation } from './core-modexp.ts';
import { GROUPS } from './groups.ts';

/**
 * `fma`: two numbers a pass (and one, for what is left over) by fused multiply-add on 128-bit vectors. `scalar`: 64-bit integers, for
 * any engine.
 */
export type KernelName = 'fma' | 'scalar';

/** Best first. */
const CANDIDATES: readonly KernelName[] = ['fma', 'scalar'];

export interface RejectedKernel {
  readonly name: KernelName;
  readonly reason: string;
}

/** Which kernel runs, and why no better one does. */
export interface KernelReport {
  readonly name: KernelName;
  /** Numbers one pass carries: batches of shared values are cheapest in multiples of it. */
  readonly lanes: number;
  readonly rejected: readonly RejectedKernel[];
}

export interface ChosenKernel {
  readonly core: Core;
  readonly report: KernelReport;
}

/** Makes a core from a build's bytes; a parameter so that engines without an instruction can be acted by a test. */
export type Instantiate = (bytes: Uint8Array<ArrayBuffer>) => Core;

export function readBuild(name: KernelName): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));
}

/** The best candidate that passes its self-test, or `only` that one; BAD_CONFIGURATION when none does. */
export function chooseKernel(only?: KernelName, instantiate: Instantiate = instantiateCore): ChosenKernel {
  const rejected: RejectedKernel[] = [];
  for (const name of only === undefined ? CANDIDATES : [only]) {
    const bytes = readBuild(name);
    let core: Core;
    try {
      core = instantiate(bytes);
    } catch (error) {
      rejected.push({
        name,
        reason: `this engine cannot run it (${error instanceof Error ? error.message : 'unknown'})`,
      });
      continue;
    }
    const failure = selfTest(core);
    if (failure === undefined) return { core, report: { name, lanes: core.lanes, rejected } };
    rejected.push({ name, reason: failure });
  }
  const reasons = rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new SallyportError('BAD_CONFIGURATION', `no kernel of the crypto core works in this process: ${reasons}`);
}

/** What is wrong with a core, or undefined. A few milliseconds; nothing secret. */
function selfTest(core: Core): string | undefined {
  if (core.abi.multiplyAddIsFused() !== 1) return 'multiply-add is not fused on this host';
  const group = GROUPS.ffdhe2048;
  const exponentiation = createExponentiation(core, 'none');
  const p = toBigInt(group.p());
  const pairs = Array.from({ length: 2 * core.lanes - 1 }, (_, item) => ({
    exponent: Uint8Array.of(0xff, 0x01, 0x80, 0x3c + item),
    peerPublicValue: Uint8Array.from({ length: group.byteLength }, (_, i) => (37 * i + 91 * item + 5) & 0x7f),
  }));
  const results = exponentiation.sharedValues(group.name, pairs);
  const good = pairs.every(({ exponent, peerPublicValue }, item) => {
    const result = results[item]!;
    return result instanceof Uint8Array && toBigInt(result) === power(toBigInt(peerPublicValue), toBigInt(exponent), p);
  });
  return good ? undefined : 'a known exponentiation came out wrong';
}

function toBigInt(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulus) {
    if (rest & 1n) result = (result * square) % modulus;
  }
  return result;
}
