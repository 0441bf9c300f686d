import { readFileSync } from 'node:fs';

/** What the operating system says that decides how many sessions this machine holds. Undefined where it does not say. */
export interface HostFacts {
  readonly descriptorsSoft: number | undefined;
  readonly descriptorsHard: number | undefined;
  /** Ports the kernel hands out for outgoing connections, both ends included. */
  readonly ephemeralPorts: readonly [first: number, last: number] | undefined;
  /** Local ports that something listens on, all addresses. */
  readonly listeningPorts: ReadonlySet<number>;
  /** Ports the kernel never hands out by itself (net.ipv4.ip_local_reserved_ports). */
  readonly reservedPorts: readonly (readonly [first: number, last: number])[];
  /** Longest accept queue the kernel allows (net.core.somaxconn). */
  readonly acceptQueueMax: number | undefined;
}

const LISTEN_STATE = '0A';

/** Reads the facts; `root` is where /proc is found. */
export function readHostFacts(root = '/'): HostFacts {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(`${root}proc/${path}`, 'utf8');
    } catch {
      return undefined; // not Linux, or not allowed: the check that needs it says that it could not look
    }
  };
  const [soft, hard] = descriptorLimits(read('self/limits'));
  return {
    descriptorsSoft: soft,
    descriptorsHard: hard,
    ephemeralPorts: portPair(read('sys/net/ipv4/ip_local_port_range')),
    listeningPorts: new Set([...listeningPorts(read('net/tcp')), ...listeningPorts(read('net/tcp6'))]),
    reservedPorts: portRanges(read('sys/net/ipv4/ip_local_reserved_ports')),
    acceptQueueMax: wholeNumber(read('sys/net/core/somaxconn')),
  };
}

/** The line `Max open files  <soft>  <hard>  files` of /proc/self/limits. */
export function descriptorLimits(text: string | undefined): [number | undefined, number | undefined] {
  const match = text?.match(/^Max open files\s+(\S+)\s+(\S+)/m);
  const number = (word: string | undefined): number | undefined =>
    word === 'unlimited' ? Number.POSITIVE_INFINITY : wholeNumber(word);
  return [number(match?.[1]), number(match?.[2])];
}

/** Local ports of the lines in state LISTEN of /proc/net/tcp and tcp6: `sl local_address rem_address st ...`, in hex. */
export function listeningPorts(text: string | undefined): number[] {
  return (text ?? '')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN_STATE)
    .map((fields) => Number.parseInt(fields[1]!.slice(fields[1]!.lastIndexOf(':') + 1), 16));
}

function portPair(text: string | undefined): [number, number] | undefined {
  const [first, last] = (text ?? '').trim().split(/\s+/).map(wholeNumber);
  return first === undefined || last === undefined ? undefined : [first, last];
}

/** `8080,9148-9150` of ip_local_reserved_ports. */
export function portRanges(text: string | undefined): [number, number][] {
  return (text ?? '')
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [first, last] = part.split('-');
      return [Number(first), Number(last ?? first)];
    });
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}
