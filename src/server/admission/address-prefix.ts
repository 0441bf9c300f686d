import ipaddr from 'ipaddr.js';

/** The two keys under which an address is counted: what one subscriber holds, and the network around it. */
export interface AddressPrefixes {
  /** IPv4 /32, IPv6 /64 (one subscriber usually holds a whole /64). */
  readonly host: string;
  /** IPv4 /24, IPv6 /48. */
  readonly network: string;
}

const IPV4_NETWORK_BYTES = 3;
const IPV6_HOST_BYTES = 8;
const IPV6_NETWORK_BYTES = 6;

/**
 * The prefixes of a socket's remote address. An IPv4-mapped IPv6 address counts as its IPv4 address, so that a dual-stack listener gives
 * nobody two identities. What is not an address at all (a socket that is gone) is counted under one key of its own.
 */
export function prefixesOf(address: string | undefined): AddressPrefixes {
  const bytes = addressBytes(address);
  if (bytes === undefined) return { host: 'none', network: 'none' };
  if (bytes.length === 4) return { host: hex(bytes), network: hex(bytes.subarray(0, IPV4_NETWORK_BYTES)) };
  return { host: hex(bytes.subarray(0, IPV6_HOST_BYTES)), network: hex(bytes.subarray(0, IPV6_NETWORK_BYTES)) };
}

/** 4 or 16 bytes, IPv4-mapped addresses as 4; undefined for what is not an address. */
export function addressBytes(address: string | undefined): Buffer | undefined {
  if (address === undefined) return undefined;
  const zone = address.indexOf('%'); // fe80::1%eth0: the zone names a link of this host and is no part of the peer's identity
  try {
    return Buffer.from(ipaddr.process(zone < 0 ? address : address.slice(0, zone)).toByteArray());
  } catch {
    return undefined; // ipaddr.js throws on what it cannot parse; that is the answer here
  }
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex');
}
