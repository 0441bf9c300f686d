import { describe, expect, it } from 'vitest';
import { authOf } from '../../../src/customer/customer-identity.ts';

describe('what AUTH carries', () => {
  it('has a credential of its own to wipe, also when the caller’s is a Buffer, whose slices share memory', () => {
    for (const credential of [new Uint8Array(32).fill(7), Buffer.alloc(32, 7)]) {
      const auth = authOf({ customerId: 'alice', profile: { b: '2', a: '1' }, credential });
      expect(auth.profile.map(({ tag }) => tag)).toEqual(['a', 'b']);
      auth.credential.fill(0);
      expect(credential.every((byte) => byte === 7)).toBe(true);
    }
  });
});
