import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { decodeProxyHeader } from './admission/proxy-header.ts';

/** Connections whose header has not come yet, at once: a proxy sends it with its first packet, so more are a fault or an attack. */
const AWAITED_MAX = 1_024;

/** Whether `address` lies in one of these networks, written as an address or ADDRESS/BITS. */
export function isWithin(networks: readonly string[], address: string | undefined): boolean {
  if (networks.length === 0 || address === undefined || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return networks.some((network) => {
    const [base, bits] = parseNetwork(network);
    return base.kind() === parsed.kind() && parsed.match(base, bits);
  });
}

/** Throws on what is neither an address nor ADDRESS/BITS. */
export function parseNetwork(network: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (network.includes('/')) return ipaddr.parseCIDR(network);
  const address = ipaddr.process(network);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** Takes the PROXY header off the sockets of trusted proxies. */
export class ProxiedSockets {
  readonly #awaited = new Set<Socket>();

  /**
   * Calls `forward` with the customer's address, when the header is there; what follows it stays in the socket. Calls `refuse` when it is
   * wrong, does not come within `timeoutMs`, or too many are awaited; the socket is destroyed then.
   */
  accept(
    socket: Socket,
    timeoutMs: number,
    { forward, refuse }: { readonly forward: (address: string | undefined) => void; readonly refuse: () => void },
  ): void {
    const give = (address: string | undefined, rest: Buffer): void => {
      release();
      if (rest.length > 0) socket.unshift(rest);
      forward(address);
      socket.resume();
    };
    const fail = (): void => {
      release();
      socket.destroy();
      refuse();
    };
    let received = Buffer.alloc(0);
    const onReadable = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      received = Buffer.concat([received, bytes]);
      const header = decodeProxyHeader(received);
      if (header.kind === 'wrong') fail();
      else if (header.kind === 'header') give(header.address ?? socket.remoteAddress, received.subarray(header.bytes));
    };
    const timer = setTimeout(fail, timeoutMs);
    const onError = (): void => void socket.destroy();
    const release = (): void => {
      clearTimeout(timer);
      this.#awaited.delete(socket);
      socket.off('readable', onReadable).off('end', fail).off('close', fail).off('error', onError);
    };
    socket.on('readable', onReadable).on('end', fail).on('close', fail).on('error', onError);
    this.#awaited.add(socket);
    if (this.#awaited.size > AWAITED_MAX) fail();
  }

  destroy(): void {
    for (const socket of this.#awaited) socket.destroy();
  }
}
