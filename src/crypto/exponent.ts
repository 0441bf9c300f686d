/** Fresh exponents a and b. */

import { randomBytes } from 'node:crypto';
import { GROUPS, type GroupName } from './groups.ts';

/** Uniformly random bytes, 29, 35 or 41 by the group (docs/PROTOCOL.md section 3.3; RFC 7919 §5.2). Secret: used once, then wiped. */
export function randomExponent(group: GroupName): Uint8Array {
  return new Uint8Array(randomBytes(GROUPS[group].exponentByteLength));
}
