/** SHA-256, HMAC and HKDF on the core, for data of any length: in one call when it fits the staging zone, in pieces when not. */

import { SallyportError } from '../errors.ts';
import type { Core } from './core.ts';

const DIGEST_BYTES = 32;
/** RFC 5869 §2.3: L <= 255 * HashLen. */
const EXPAND_BYTES_MAX = 255 * DIGEST_BYTES;

// Layout of the staging zone for several hashes at once, and what fits (assembly/index.ts).
const MESSAGE_LANES = 4;
const MESSAGE_SLOT_BYTES = 0x4000;
const MESSAGE_OFFSET = 64;
const INFO_SLOT_BYTES = 128;
const INFO_OFFSET = 4;
const INFO_BYTES_MAX = 110;
const INFO_COUNT_MAX = 64;
const PRK_BYTES_MAX = 64;

export interface PrefixedMessage {
  readonly data: Uint8Array;
  /** At most the length of the data. */
  readonly prefixLength: number;
}

export interface PrefixDigests {
  readonly prefix: Uint8Array<ArrayBuffer>;
  readonly whole: Uint8Array<ArrayBuffer>;
}

export interface Hashing {
  /** SHA-256 (FIPS 180-4) of data of any length; 32 bytes. */
  sha256(data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** HMAC-SHA-256 (RFC 2104), key and data of any length; 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer>;
  /** HKDF-Extract (RFC 5869 §2.2); an empty salt stands for 32 zero bytes; 32 bytes. */
  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array<ArrayBuffer>;
  /** HKDF-Expand (RFC 5869 §2.3): prk of at least 32 bytes, length 0 to 8160; BAD_ARGUMENT otherwise. */
  hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer>;
  /** The SHA-256 of each message's prefix and of all of it: the prefix is hashed once, and four messages take what 1.6 do singly. */
  sha256Prefixes(messages: readonly PrefixedMessage[]): PrefixDigests[];
  /** hkdfExpand(prk, info, 32) for each info, in half the time of one after the other. */
  hkdfExpandEach(prk: Uint8Array, infos: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[];
}

export function createHashing(core: Core): Hashing {
  const { abi, input, output } = core;
  const room = input.length;

  /** Takes a fresh copy of a result and wipes both zones. */
  const takeResult = (length: number, used: number): Uint8Array<ArrayBuffer> => {
    const result = output.slice(0, length);
    output.fill(0, 0, Math.ceil(length / DIGEST_BYTES) * DIGEST_BYTES);
    input.fill(0, 0, used);
    return result;
  };

  const addInPieces = (data: Uint8Array, update: (length: number) => void): void => {
    for (let at = 0; at < data.length; at += room) {
      const piece = data.subarray(at, at + room);
      input.set(piece);
      update(piece.length);
    }
  };

  const sha256 = (data: Uint8Array): Uint8Array<ArrayBuffer> => {
    requireBytes(data, 'data');
    if (data.length <= room) {
      input.set(data);
      abi.sha256(data.length);
      return takeResult(DIGEST_BYTES, data.length);
    }
    abi.sha256Begin();
    addInPieces(data, abi.sha256Update);
    abi.sha256End();
    return takeResult(DIGEST_BYTES, room);
  };

  /** Begins an HMAC under a key of any length. */
  const beginHmac = (key: Uint8Array): void => {
    // RFC 2104 §2: a key longer than a block is replaced by its hash, so a long one can be hashed in pieces beforehand.
    const hashed = key.length > room ? sha256(key) : undefined;
    const effective = hashed ?? key;
    input.set(effective);
    abi.hmacBegin(effective.length);
    input.fill(0, 0, effective.length);
    hashed?.fill(0);
  };

  const hmacSha256 = (key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> => {
    requireBytes(key, 'key');
    requireBytes(data, 'data');
    const used = key.length + data.length;
    if (used <= room) {
      input.set(key);
      input.set(data, key.length);
      abi.hmac(key.length, data.length);
      return takeResult(DIGEST_BYTES, used);
    }
    beginHmac(key);
    addInPieces(data, abi.hmacUpdate);
    abi.hmacEnd();
    return takeResult(DIGEST_BYTES, room);
  };

  const hkdfExpand = (prk: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer> => {
    requireBytes(prk, 'prk');
    requireBytes(info, 'info');
    if (prk.length < DIGEST_BYTES) {
      throw new SallyportError(
        'BAD_ARGUMENT',
        `HKDF-Expand needs a prk of at least ${DIGEST_BYTES} bytes; got ${prk.length}`,
      );
    }
    if (!Number.isInteger(length) || length < 0 || length > EXPAND_BYTES_MAX) {
      throw new SallyportError('BAD_ARGUMENT', `HKDF-Expand gives 0 to ${EXPAND_BYTES_MAX} bytes; asked for ${length}`);
    }
    if (length === 0) return new Uint8Array(0);
    const used = prk.length + info.length;
    if (used <= room) {
      input.set(prk);
      input.set(info, prk.length);
      abi.hkdfExpand(prk.length, info.length, length);
      return takeResult(length, used);
    }
    return expandInPieces(prk, info, length);
  };

  const expandInPieces = (prk: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer> => {
    const okm = new Uint8Array(Math.ceil(length / DIGEST_BYTES) * DIGEST_BYTES);
    beginHmac(prk);
    for (let at = 0, counter = 1; at < okm.length; at += DIGEST_BYTES, counter++) {
      addInPieces(okm.subarray(Math.max(0, at - DIGEST_BYTES), at), abi.hmacUpdate); // T(i-1)
      addInPieces(info, abi.hmacUpdate);
      addInPieces(Uint8Array.of(counter), abi.hmacUpdate);
      abi.hmacNext();
      okm.set(output.subarray(0, DIGEST_BYTES), at);
    }
    abi.hmacEnd();
    takeResult(DIGEST_BYTES, room);
    const result = okm.slice(0, length);
    okm.fill(0);
    return result;
  };

  const words = new DataView(input.buffer, input.byteOffset, input.byteLength);

  const prefixesTogether = (messages: readonly PrefixedMessage[]): PrefixDigests[] => {
    messages.forEach(({ data, prefixLength }, lane) => {
      const slot = lane * MESSAGE_SLOT_BYTES;
      words.setUint32(slot, prefixLength, true);
      words.setUint32(slot + 4, data.length, true);
      input.set(data, slot + MESSAGE_OFFSET);
    });
    abi.sha256Prefixes(messages.length);
    const results = messages.map(({ data }, lane) => {
      const slot = lane * MESSAGE_SLOT_BYTES;
      input.fill(0, slot, slot + MESSAGE_OFFSET + data.length);
      const at = 2 * DIGEST_BYTES * lane;
      return {
        prefix: output.slice(at, at + DIGEST_BYTES),
        whole: output.slice(at + DIGEST_BYTES, at + 2 * DIGEST_BYTES),
      };
    });
    output.fill(0, 0, 2 * DIGEST_BYTES * messages.length);
    return results;
  };

  const sha256Prefixes = (messages: readonly PrefixedMessage[]): PrefixDigests[] => {
    const results: PrefixDigests[] = [];
    const fitting: number[] = [];
    messages.forEach(({ data, prefixLength }, index) => {
      requireBytes(data, 'data');
      if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > data.length) {
        throw new SallyportError(
          'BAD_ARGUMENT',
          `a prefix of 0 to ${data.length} bytes was expected; got ${prefixLength}`,
        );
      }
      if (data.length <= MESSAGE_SLOT_BYTES - MESSAGE_OFFSET) fitting.push(index);
      else results[index] = { prefix: sha256(data.subarray(0, prefixLength)), whole: sha256(data) };
    });
    for (let at = 0; at < fitting.length; at += MESSAGE_LANES) {
      const indices = fitting.slice(at, at + MESSAGE_LANES);
      prefixesTogether(indices.map((index) => messages[index]!)).forEach((digests, lane) => {
        results[indices[lane]!] = digests;
      });
    }
    return results;
  };

  const hkdfExpandEach = (prk: Uint8Array, infos: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[] => {
    requireBytes(prk, 'prk');
    for (const info of infos) requireBytes(info, 'info');
    const count = infos.length;
    const fits = prk.length <= PRK_BYTES_MAX && infos.every((info) => info.length <= INFO_BYTES_MAX);
    if (!fits || prk.length < DIGEST_BYTES || count === 0 || count > INFO_COUNT_MAX) {
      return infos.map((info) => hkdfExpand(prk, info, DIGEST_BYTES));
    }
    input.set(prk);
    infos.forEach((info, index) => {
      const slot = (index + 1) * INFO_SLOT_BYTES;
      words.setUint32(slot, info.length, true);
      input.set(info, slot + INFO_OFFSET);
    });
    abi.hkdfExpandEach(prk.length, count);
    input.fill(0, 0, (count + 1) * INFO_SLOT_BYTES);
    const results = infos.map((_, index) => output.slice(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES));
    output.fill(0, 0, count * DIGEST_BYTES);
    return results;
  };

  return { sha256, hmacSha256, hkdfExtract: hmacSha256, hkdfExpand, sha256Prefixes, hkdfExpandEach };
}

export function requireBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new SallyportError('BAD_ARGUMENT', `${what} must be a Uint8Array`);
}
