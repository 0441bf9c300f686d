/** Checks of a peer's public value, before any exponentiation touches it. */

import { GROUPS, type GroupName } from './groups.ts';

/**
 * Whether a value has exactly |p| bytes and 1 < Y < p-1 (SP 800-56A r3 §5.6.2.3.2: enough for ephemeral keys in safe-prime groups). Public
 * values are no secret, so the comparison may stop early.
 */
export function isPublicValue(group: GroupName, value: Uint8Array): boolean {
  const { byteLength } = GROUPS[group];
  if (value.length !== byteLength) return false;
  const p = GROUPS[group].p();
  // p is odd: p-1 differs from it in the last byte alone.
  p[byteLength - 1]! -= 1;
  const last = value[byteLength - 1]!;
  const aboveOne = last > 1 || value.subarray(0, -1).some((byte) => byte !== 0);
  return aboveOne && Buffer.compare(value, p) < 0;
}
