/** The fresh random values and keys of one session. */

import { randomBytes } from 'node:crypto';
import { GROUPS } from '../crypto/groups.ts';
import { generateKemKeyPair } from '../crypto/kem.ts';
import type { SuitePolicy } from '../crypto/suite.ts';
import type { CustomerMaterial } from '../session/customer-interface.ts';

/** Of b: as many as the largest group wants; the machine takes as many as the chosen one does. */
const EXPONENT_BYTES_MAX = Math.max(...Object.values(GROUPS).map(({ exponentByteLength }) => exponentByteLength));

/** Secret: the session's machine owns and wipes it. */
export function freshMaterial(policy: SuitePolicy): CustomerMaterial {
  return {
    customerRandom: new Uint8Array(randomBytes(32)),
    claimSecret: new Uint8Array(randomBytes(32)),
    exponentBytes: new Uint8Array(randomBytes(EXPONENT_BYTES_MAX)),
    kemKeys: policy.kems.includes('ML-KEM-768') ? generateKemKeyPair() : undefined,
  };
}
