import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { type ChainHead, EMPTY_HEAD, sameHead } from '../../src/ledger/entry.ts';
import type { WriteSet } from '../../src/ledger/storage/storage.ts';

/**
 * The log of the simulated storage: one record for each commit, one behind the other.
 *
 * ```
 * offset  size  field
 * 0       4     0x53494d4c
 * 4       4     length of the content
 * 8       4     CRC-32 of length and content: of a header that was torn the rest is zeros, and so is the sum of nothing
 * 12      n     the head that the commit followed, and what it wrote
 * ```
 *
 * The log ends where no whole record with a right sum begins that follows the head before it: what lies behind that was never acknowledged.
 */
const MAGIC = 0x53494d4c;
const HEADER_BYTES = 12;

interface Content {
  readonly expected: ChainHead;
  readonly writes: WriteSet;
}

export interface RecoveredLog {
  readonly commits: readonly WriteSet[];
  readonly bytes: number;
  /** Whether something lies behind the end: a commit that was torn. */
  readonly torn: boolean;
}

export function encodeRecord(expected: ChainHead, writes: WriteSet): Uint8Array {
  const content = serialize({ expected, writes } satisfies Content);
  const record = Buffer.alloc(HEADER_BYTES + content.length);
  record.writeUInt32BE(MAGIC, 0);
  record.writeUInt32BE(content.length, 4);
  record.writeUInt32BE(sumOf(record.subarray(4, 8), content), 8);
  record.set(content, HEADER_BYTES);
  return record;
}

export function recoverLog(file: Uint8Array): RecoveredLog {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const commits: WriteSet[] = [];
  let head = EMPTY_HEAD;
  let at = 0;
  for (;;) {
    const content = contentAt(bytes, at);
    if (content === undefined) break;
    const { expected, writes } = deserialize(content) as Content;
    if (!sameHead(expected, head)) break;
    commits.push(writes);
    head = writes.head;
    at += HEADER_BYTES + content.length;
  }
  return { commits, bytes: at, torn: bytes.subarray(at).some((byte) => byte !== 0) };
}

function contentAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + HEADER_BYTES > bytes.length || bytes.readUInt32BE(at) !== MAGIC) return undefined;
  const length = bytes.readUInt32BE(at + 4);
  const content = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
  return content.length === length && sumOf(bytes.subarray(at + 4, at + 8), content) === bytes.readUInt32BE(at + 8)
    ? content
    : undefined;
}

function sumOf(length: Uint8Array, content: Uint8Array): number {
  return crc32(content, crc32(length));
}
