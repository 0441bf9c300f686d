import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGES } from './wire-messages.ts';

/** fast-check's default is 100; these run in milliseconds. */
const RUNS = 150;

describe.each(MESSAGES)('$name', ({ values, sample, encode, decode }) => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encode(value))).toEqual({ ok: true, value });
      }),
      { numRuns: RUNS },
    );
  });

  it('is refused when cut off anywhere, or followed by anything', () => {
    const bytes = encode(sample);
    for (let length = 0; length < bytes.length; length++)
      expect(decode(bytes.subarray(0, length)), `${length} bytes`).toMatchObject({ ok: false, code: 'BAD_FRAME' });
    for (const tail of [[0], [1, 2, 3]])
      expect(decode(Uint8Array.from([...bytes, ...tail]))).toMatchObject({ ok: false });
  });

  it('has one encoding for each value: a flipped bit gives a refusal or another value, never the same', () => {
    const bytes = encode(sample);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      const decoded = decode(flipped);
      if (!decoded.ok) expect(['BAD_FRAME', 'TOO_LARGE']).toContain(decoded.code);
      // Equal bytes from unequal bytes would mean that the decoder passed over something.
      else expect(Buffer.compare(encode(decoded.value), flipped), `bit ${bit}`).toBe(0);
    }
  });

  it('never throws at bytes of any kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
        const decoded = decode(bytes);
        if (decoded.ok) expect(Buffer.compare(encode(decoded.value), bytes)).toBe(0);
        else expect(decoded.what).not.toBe('');
      }),
      { numRuns: RUNS },
    );
  });

  it('never throws at one message with a piece of another rubbish inside', () => {
    fc.assert(
      fc.property(
        values,
        fc.nat(),
        fc.uint8Array({ maxLength: 20 }),
        fc.nat({ max: 20 }),
        (value, at, rubbish, drop) => {
          const bytes = encode(value);
          const start = at % (bytes.length + 1);
          const altered = Uint8Array.from([...bytes.subarray(0, start), ...rubbish, ...bytes.subarray(start + drop)]);
          const decoded = decode(altered);
          if (decoded.ok) expect(Buffer.compare(encode(decoded.value), altered)).toBe(0);
          else expect(decoded.what).not.toBe('');
        },
      ),
      { numRuns: RUNS },
    );
  });
});
