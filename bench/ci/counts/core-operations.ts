/** Counts of the core's operations, for every build of it that runs here. */

import { instantiateCore } from '../../../src/crypto/core.ts';
import { createExponentiation } from '../../../src/crypto/core-modexp.ts';
import { type KernelName, readBuild } from '../../../src/crypto/kernel.ts';
import type { BenchCount } from '../subject.ts';
import { instrument } from './wasm-operations.ts';

const EXPONENT_BYTES = { ffdhe2048: 29, ffdhe3072: 35, ffdhe4096: 41 } as const;
const KERNELS: readonly KernelName[] = ['fma', 'scalar'];

export function coreOperationCounts(): BenchCount[] {
  return KERNELS.flatMap((kernel) =>
    (['ffdhe3072'] as const).flatMap((group) => {
      const exponent = new Uint8Array(EXPONENT_BYTES[group]).fill(0xa5);
      const load = once(() => {
        const core = instantiateCore(instrument(readBuild(kernel)));
        return {
          abi: core.abi as unknown as { executedOperations(): number },
          exponentiation: createExponentiation(core, 'windows'),
        };
      });
      const counted = (work: (exponentiation: ReturnType<typeof createExponentiation>) => void): number => {
        const { abi, exponentiation } = load();
        // The first call makes the tables.
        work(exponentiation);
        abi.executedOperations();
        work(exponentiation);
        return abi.executedOperations();
      };
      return [
        {
          name: `operations, shared value ${group}, ${kernel}`,
          what: 'executed WebAssembly operations of one exponentiation of a peer value',
          unit: 'operations',
          count: () => counted((exponentiation) => exponentiation.sharedValue(group, exponent, peerValue(group))),
        },
        {
          name: `operations, public value ${group}, ${kernel}`,
          what: 'executed WebAssembly operations of one power of g by the table',
          unit: 'operations',
          count: () => counted((exponentiation) => exponentiation.publicValue(group, exponent)),
        },
      ];
    }),
  );
}

/** Some value in 2 to p - 2: the count does not depend on it. */
function peerValue(group: keyof typeof EXPONENT_BYTES): Uint8Array {
  const length = { ffdhe2048: 256, ffdhe3072: 384, ffdhe4096: 512 }[group];
  return new Uint8Array(length).fill(0x5a);
}

function once<T>(make: () => T): () => T {
  const cell: { value?: T } = {};
  return () => {
    cell.value ??= make();
    return cell.value;
  };
}
