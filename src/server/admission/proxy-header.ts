import ipaddr from 'ipaddr.js';

/**
 * The PROXY protocol's header (haproxy.org/download/2.9/doc/proxy-protocol.txt), version 1 in text and version 2 in binary: how a proxy
 * before the first port says whom it forwards.
 *
 *   v2, offset  size
 *   0           12    signature
 *   12          1     0x20 LOCAL (the proxy itself: a health check), 0x21 PROXY
 *   13          1     0x11 TCP over IPv4, 0x21 TCP over IPv6, else not looked at
 *   14          2     length of what follows
 *   16          4/16  source address, then destination address, two ports, and extensions
 */
export type ProxyHeader =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'wrong' }
  /** `address` undefined: the proxy speaks for itself, or does not know. `bytes`: the header's length. */
  | { readonly kind: 'header'; readonly address: string | undefined; readonly bytes: number };

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V2_FIXED_BYTES = 16;
/** Addresses and extensions (certificates' names and the like): what haproxy and the clouds send is far less. */
const V2_REST_BYTES_MAX = 1_024;
/** The longest line of version 1, its end included (section 2.1). */
const V1_BYTES_MAX = 107;
const V1_START = Buffer.from('PROXY ');
const WRONG: ProxyHeader = { kind: 'wrong' };
const INCOMPLETE: ProxyHeader = { kind: 'incomplete' };

/** Reads the header at the beginning of `bytes`. */
export function decodeProxyHeader(bytes: Buffer): ProxyHeader {
  if (begins(bytes, SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? INCOMPLETE : decodeBinary(bytes);
  if (begins(bytes, V1_START)) return decodeText(bytes);
  return WRONG;
}

/** Whether as much of `start` as there can be is there. */
function begins(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function decodeBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12];
  const family = bytes[13];
  const rest = bytes.readUInt16BE(14);
  if ((command !== 0x20 && command !== 0x21) || rest > V2_REST_BYTES_MAX) return WRONG;
  const total = V2_FIXED_BYTES + rest;
  if (bytes.length < total) return INCOMPLETE;
  if (command === 0x20) return { kind: 'header', address: undefined, bytes: total };
  const addressBytes = family === 0x11 ? 4 : family === 0x21 ? 16 : 0;
  if (addressBytes === 0) return { kind: 'header', address: undefined, bytes: total };
  if (rest < 2 * addressBytes + 4) return WRONG;
  const source = bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + addressBytes);
  return { kind: 'header', address: ipaddr.fromByteArray([...source]).toString(), bytes: total };
}

function decodeText(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return bytes.length >= V1_BYTES_MAX ? WRONG : INCOMPLETE;
  if (end + 2 > V1_BYTES_MAX) return WRONG;
  const line = bytes.toString('latin1', 0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: 'header', address: undefined, bytes: end + 2 };
  const [, family, source, destination] = /^PROXY TCP([46]) (\S+) (\S+) \d{1,5} \d{1,5}$/.exec(line) ?? [];
  const parser = family === '4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const valid = (text: string | undefined): text is string =>
    text !== undefined && (family === '4' ? ipaddr.IPv4.isValidFourPartDecimal(text) : parser.isValid(text));
  if (!valid(source) || !valid(destination)) return WRONG;
  return { kind: 'header', address: source, bytes: end + 2 };
}
