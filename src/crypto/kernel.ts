/**
 * Which build of the core runs. Builds differ in their arithmetic; all have one ABI. A candidate is used only after it has passed a
 * self-test in this process: first that its multiply-add is fused (WebAssembly's relaxed SIMD leaves that to the host), then known
 * exponentiations, each size of batch against BigInt. What fails is reported with its reason and never used.
 */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { SallyportError } from '../errors.ts';
import { type Core, instantiateCore } from './core.ts';
import { createExponentiation } from './core-modexp.ts';
import { GROUPS } from './groups.ts';

/**
 * `fma-quad`: four numbers a pass, for V8's experimental 256-bit revectorization: opt in. `fma`: two numbers a pass (and one, for what
 * is left over) by fused multiply-add on 128-bit vectors. `scalar`: 64-bit integers, for any engine.
 */
export type KernelName = 'fma-quad' | 'fma' | 'scalar';

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

export interface KernelChoice {
  /** This kernel or none. */
  readonly only?: KernelName | undefined;
  /** Whether fma-quad is a candidate. */
  readonly quads?: boolean;
  /** Makes a core from a build's bytes; a parameter so that an engine that lacks an instruction can be acted by a test. */
  readonly instantiate?: (bytes: Uint8Array<ArrayBuffer>) => Core;
}

export function readBuild(name: KernelName): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../build/${name}.wasm`, import.meta.url)));
}

/** The best candidate that passes its self-test; BAD_CONFIGURATION when none does. */
export function chooseKernel({ only, quads = false, instantiate = instantiateCore }: KernelChoice = {}): ChosenKernel {
  const best: KernelName[] = quads ? ['fma-quad', 'fma', 'scalar'] : ['fma', 'scalar'];
  const rejected: RejectedKernel[] = [];
  for (const name of only === undefined ? best : [only]) {
    const outcome = tryKernel(name, instantiate);
    if (typeof outcome !== 'string') return { core: outcome, report: { name, lanes: outcome.lanes, rejected } };
    rejected.push({ name, reason: outcome });
  }
  const reasons = rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  throw new SallyportError('BAD_CONFIGURATION', `no kernel of the crypto core works in this process: ${reasons}`);
}

/** A core that passed, or why it did not. */
function tryKernel(name: KernelName, instantiate: (bytes: Uint8Array<ArrayBuffer>) => Core): Core | string {
  // V8 reads this flag when it optimizes a function, so it can be set before the module exists and changes nothing that runs already.
  if (name === 'fma-quad') setFlagsFromString('--experimental-wasm-revectorize');
  try {
    const core = instantiate(readBuild(name));
    const failure = selfTest(core);
    if (failure !== undefined) return failure;
    if (name === 'fma-quad') {
      const gain = timePerNumber(instantiate(readBuild('fma')), 2) / timePerNumber(core, 4);
      if (gain < QUAD_GAIN_MIN) return `no faster here than fma (${gain.toFixed(2)} times its speed)`;
    }
    return core;
  } catch (error) {
    return `this engine cannot run it (${error instanceof Error ? error.message : String(error)})`;
  }
}

/** What is wrong with a core, or undefined. A few milliseconds; nothing secret. */
function selfTest(core: Core): string | undefined {
  if (core.abi.multiplyAddIsFused() !== 1) return 'multiply-add is not fused on this host';
  const group = GROUPS.ffdhe2048;
  const { sharedValues } = createExponentiation(core, 'none');
  const p = toBigInt(group.p());
  for (let count = 1; count <= core.lanes; count *= 2) {
    const pairs = Array.from({ length: count }, (_, item) => ({
      exponent: Uint8Array.of(0xff, 0x01, 0x80, 0x3c + item),
      peerPublicValue: Uint8Array.from({ length: group.byteLength }, (_, i) => (37 * i + 91 * item + 5) & 0x7f),
    }));
    const good = sharedValues(group.name, pairs).every((result, item) => {
      const { exponent, peerPublicValue } = pairs[item]!;
      if (!(result instanceof Uint8Array)) return false;
      return toBigInt(result) === power(toBigInt(peerPublicValue), toBigInt(exponent), p);
    });
    if (!good) return 'a known exponentiation came out wrong';
  }
  return undefined;
}

/** fma-quad must be clearly faster than fma, since it stands on an experimental part of V8. */
const QUAD_GAIN_MIN = 1.2;
/** Long enough for V8 to have optimized the kernel and to time it several times over. */
const TIMING_MS = 150;

/** Milliseconds of a shared value of ffdhe2048, at best, in batches of `count`. */
function timePerNumber(core: Core, count: number): number {
  const group = GROUPS.ffdhe2048;
  const { sharedValues } = createExponentiation(core, 'none');
  const pair = {
    exponent: new Uint8Array(group.exponentByteLength).fill(0xa5),
    peerPublicValue: new Uint8Array(group.byteLength).fill(0x5a),
  };
  const pairs = Array<typeof pair>(count).fill(pair);
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + TIMING_MS; performance.now() < end; ) {
    const start = performance.now();
    sharedValues(group.name, pairs);
    best = Math.min(best, performance.now() - start);
  }
  return best / count;
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
