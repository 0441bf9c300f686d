import type { Socket } from 'node:net';

/**
 * Closes a socket by a reset: what its peer has not taken is thrown away. While a FIN is under way libuv refuses that, and Node then lets go
 * of the descriptor without closing it: the reset follows the FIN.
 */
export function resetSocket(socket: Socket): void {
  const finUnderWay = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (finUnderWay) socket.once('finish', () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
