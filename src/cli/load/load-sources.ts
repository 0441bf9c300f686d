/** Addresses of this machine to connect from. */

import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';

/** More addresses than this give more source ports than any target takes. */
const SOURCES_MAX = 254;

/** Reads 127.0.0.2, 127.0.0.2-127.0.0.9 (last part counted up), and lists of these. */
export function parseSources(text: string): string[] {
  const sources = text.split(',').flatMap((part) => rangeOf(part.trim()));
  if (sources.length > SOURCES_MAX) throw new InvalidArgumentError(`At most ${SOURCES_MAX} addresses.`);
  return sources;
}

function rangeOf(text: string): string[] {
  const [first = '', last = first] = text.split('-');
  if (isIP(first) === 0 || isIP(last) === 0) {
    throw new InvalidArgumentError('It must be addresses of this machine, such as 127.0.0.2 or 127.0.0.2-127.0.0.9.');
  }
  if (first === last) return [first];
  const [network, from] = splitLast(first);
  const [sameNetwork, to] = splitLast(last);
  if (network !== sameNetwork || !(from <= to)) {
    throw new InvalidArgumentError('A range counts up the last part of an IPv4 address, such as 127.0.0.2-127.0.0.9.');
  }
  return Array.from({ length: to - from + 1 }, (_, offset) => `${network}.${from + offset}`);
}

function splitLast(address: string): [network: string, last: number] {
  const at = address.lastIndexOf('.');
  return [address.slice(0, at), Number(address.slice(at + 1))];
}
