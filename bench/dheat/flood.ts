/**
 * The D(HE)at attacker: well-formed HELLOs, right claims, random Yc. It makes no exponentiation of its own, reuses one ML-KEM key, and
 * leaves the moment the server has worked. From many addresses (127.0.0.0/8), so that no quota by address helps.
 */

import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { claimCommitment } from '../../test/interop/peer-keys.ts';
import {
  decodeOffer,
  decodeRetry,
  encodeHello,
  FRAME,
  frame,
  type Hello,
  label,
  len16,
} from '../../test/interop/peer-wire.ts';
import { answerQuestions, cpuMs } from '../actor.ts';

export type Manner = 'ignores the puzzle' | 'solves the puzzle';

interface FloodParameters {
  readonly port: number;
  readonly ratePerSecond: number;
  readonly milliseconds: number;
  readonly manner: Manner;
}

export interface FloodResult {
  readonly begun: number;
  readonly offers: number;
  /** CUSTOMER_KEYs sent: each is an exponentiation asked for. */
  readonly shares: number;
  readonly retries: number;
  readonly refused: number;
  readonly hashes: number;
  readonly cpuMs: number;
}

const CLAIM_SECRET = randomBytes(32);
const COMMITMENT = claimCommitment(CLAIM_SECRET);
const KEM_KEY = generateKeyPairSync('ml-kem-768').publicKey.export({ format: 'raw-public' });
const EMPTY = Buffer.alloc(0);
/** Connections of the attacker that are open at once: its own descriptors are finite too. */
const OPEN_MAX = 4_000;
/** Milliseconds of solving in one turn, so that one process can keep its rate of HELLOs meanwhile. */
const SOLVING_TURN_HASHES = 2_000;

class Flood {
  readonly #parameters: FloodParameters;
  readonly #counts = { begun: 0, offers: 0, shares: 0, retries: 0, refused: 0, hashes: 0 };
  readonly #sockets = new Set<Socket>();
  #over = false;

  constructor(parameters: FloodParameters) {
    this.#parameters = parameters;
  }

  async run(): Promise<FloodResult> {
    const cpuBefore = cpuMs();
    const { ratePerSecond, milliseconds } = this.#parameters;
    const begun = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const elapsed = performance.now() - begun;
        if (elapsed >= milliseconds) {
          clearInterval(timer);
          resolve();
          return;
        }
        // What could not be sent in time is not made up for in a burst.
        const due = Math.min(Math.floor((elapsed * ratePerSecond) / 1_000) - this.#counts.begun, ratePerSecond / 20);
        for (let count = 0; count < due && this.#sockets.size < OPEN_MAX; count++) this.#begin();
      }, 5);
    });
    this.#over = true;
    const result = { ...this.#counts, cpuMs: cpuMs() - cpuBefore };
    for (const socket of this.#sockets) socket.destroy();
    return result;
  }

  #begin(): void {
    this.#counts.begun += 1;
    const from = `127.${1 + (this.#counts.begun % 200)}.${this.#counts.begun % 251}.1`;
    this.#hello(from, {
      customerRandom: randomBytes(32),
      claimCommitment: COMMITMENT,
      versions: [1],
      groups: [0x0101],
      kems: [0x0201],
      aeads: [0x0002],
      kemKey: KEM_KEY,
      hostKeyHint: EMPTY,
      cookie: EMPTY,
      puzzleSolution: EMPTY,
    });
  }

  #hello(from: string, hello: Hello): void {
    this.#visit(this.#parameters.port, from, encodeHello(hello), (reply) => {
      if (reply[0] === FRAME.RETRY) {
        this.#counts.retries += 1;
        if (this.#parameters.manner === 'ignores the puzzle') return;
        const { puzzleBits, cookie } = decodeRetry(reply.subarray(4));
        this.#solve(cookie, puzzleBits, 0n, (puzzleSolution) =>
          this.#hello(from, { ...hello, cookie, puzzleSolution }),
        );
      } else if (reply[0] === FRAME.OFFER) {
        this.#counts.offers += 1;
        const { offer } = decodeOffer(reply.subarray(4));
        const yc = randomBytes(offer.p.length);
        yc[0]! &= 0x7f;
        const body = Buffer.concat([offer.sessionId, offer.leaseToken, CLAIM_SECRET, len16(yc), randomBytes(32)]);
        this.#counts.shares += 1;
        this.#visit(offer.secondPort, from, frame(FRAME.CUSTOMER_KEY, body), () => undefined);
      } else this.#counts.refused += 1;
    });
  }

  #solve(cookie: Buffer, bits: number, from: bigint, solved: (solution: Buffer) => void): void {
    const input = Buffer.concat([label('sallyport/1 puzzle'), len16(cookie), Buffer.alloc(8)]);
    const place = input.length - 8;
    for (let tries = 0n; tries < SOLVING_TURN_HASHES; tries++) {
      input.writeBigUInt64BE(from + tries, place);
      this.#counts.hashes += 1;
      if (bits === 0 || hash('sha256', input, 'buffer').readUInt32BE() >>> (32 - bits) === 0) {
        solved(bits === 0 ? EMPTY : Buffer.from(input.subarray(place)));
        return;
      }
    }
    if (!this.#over) setImmediate(() => this.#solve(cookie, bits, from + BigInt(SOLVING_TURN_HASHES), solved));
  }

  #visit(port: number, from: string, bytes: Buffer, answered: (reply: Buffer) => void): void {
    if (this.#over) return;
    const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true });
    this.#sockets.add(socket);
    const received: Buffer[] = [];
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (part: Buffer) => {
      received.push(part);
      const reply = received.length === 1 ? part : Buffer.concat(received);
      if (reply.length < 4 || reply.length < 4 + reply.readUInt16BE(2)) return;
      socket.destroy();
      answered(reply);
    });
    socket.write(bytes);
  }
}

// A real attacker brings its own CPU: this one takes what the others leave, and its rate is told as it was.
setPriority(10);
answerQuestions({ flood: (parameters: FloodParameters) => new Flood(parameters).run() });
