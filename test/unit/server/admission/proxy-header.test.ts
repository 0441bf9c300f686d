import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeProxyHeader } from '../../../../src/server/admission/proxy-header.ts';
import { isWithin } from '../../../../src/server/proxied-sockets.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const binary = (hex: string): Buffer => Buffer.from(`${SIGNATURE}${hex}`, 'hex');

/** Written by hand from the specification: what follows the signature, and whose address it holds. */
const RIGHT: readonly [Buffer, string | undefined][] = [
  [Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 56324 7919\r\n'), '192.0.2.7'],
  [Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::1 56324 7919\r\n'), '2001:db8::7'],
  [Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  [Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), undefined],
  [binary('2111000cc0000207c6336401dc041eef'), '192.0.2.7'],
  [binary(`21210024${'20010db8000000000000000000000007'}${'20010db8000000000000000000000001'}dc041eef`), '2001:db8::7'],
  // With an extension of five bytes, as a proxy in a private link sends it.
  [binary('21110011c0000207c6336401dc041eefea00020102'), '192.0.2.7'],
  [binary('20000000'), undefined],
  [binary('21000000'), undefined],
];

const WRONG: readonly Buffer[] = [
  Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n'),
  Buffer.from('PROXY TCP4 2001:db8::7 2001:db8::1 56324 7919\r\n'),
  Buffer.from('PROXY TCP4 0300.0.2.7 198.51.100.1 56324 7919\r\n'),
  Buffer.from('PROXY TCP4 3221226000 198.51.100.1 56324 7919\r\n'),
  Buffer.from('PROXY TCP6 192.0.2.7 198.51.100.1 56324 7919\r\n'),
  Buffer.from('PROXY  TCP4 192.0.2.7 198.51.100.1 56324 7919\r\n'),
  Buffer.from('PROXY UDP4 192.0.2.7 198.51.100.1 56324 7919\r\n'),
  Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`),
  Buffer.from('PROXY '.padEnd(107, 'x')),
  binary('1111000cc0000207c6336401dc041eef'),
  binary('2211000cc0000207c6336401dc041eef'),
  binary('21110008c0000207c6336401'),
  binary('21110401'),
];

describe('a PROXY header', () => {
  it.each(RIGHT)('%#: is read, whatever follows it', (header, address) => {
    for (const rest of ['', 'HELLO', '\r\n'])
      expect(decodeProxyHeader(Buffer.concat([header, Buffer.from(rest)]))).toEqual({
        kind: 'header',
        address,
        bytes: header.length,
      });
  });

  it('is incomplete at every cut', () => {
    for (const [header] of RIGHT)
      for (let length = 0; length < header.length; length++)
        expect(decodeProxyHeader(header.subarray(0, length)), `${length} of ${header.length}`).toEqual({
          kind: 'incomplete',
        });
  });

  it.each(WRONG)('%#: is refused when it is none', (bytes) => {
    expect(decodeProxyHeader(bytes)).toEqual({ kind: 'wrong' });
  });

  it('of any bytes is decided within its limits, and never throws', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 1_200 }),
        fc.constantFrom(SIGNATURE, '50524f585920', ''),
        (bytes, start) => {
          const decoded = decodeProxyHeader(Buffer.concat([Buffer.from(start, 'hex'), bytes]));
          if (decoded.kind === 'header') expect(decoded.bytes).toBeLessThanOrEqual(16 + 1_024);
          if (decoded.kind === 'incomplete') expect(bytes.length).toBeLessThan(16 + 1_024);
        },
      ),
    );
  });
});

describe('a trusted proxy', () => {
  it('is named by its address or its network, IPv4-mapped as well', () => {
    const trusted = ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'];
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8:1::9'])
      expect(isWithin(trusted, address), address).toBe(true);
    for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::1', '::1', 'x', undefined])
      expect(isWithin(trusted, address), address).toBe(false);
    expect(isWithin([], '10.1.2.3')).toBe(false);
  });
});
