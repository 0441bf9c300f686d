import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';

/**
 * SQLite's write-ahead log (https://www.sqlite.org/fileformat2.html#walformat), as far as it is looked at here. Integers are big-endian; the
 * sums add words of the byte order that the magic number names, and each goes on from the one before.
 *
 * ```
 * header  0 magic | 4 version | 8 page size | 12 checkpoint | 16 salts (8) | 24 sum of the first 24 bytes (8)
 * frame   0 page | 4 pages after the commit, 0 when it is not a commit's last | 8 salts (8) | 16 sum of bytes 0 to 7 and the page (8) | 24 page
 * ```
 */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;

type Sum = readonly [number, number];

/** A log that another process writes while it is read may look damaged; one that looks the same twice is not being written there. */
const READINGS = 3;

/**
 * What a person reads when the log of a ledger is damaged in what was committed and synced; undefined when it is not. SQLite itself ends a log
 * at the first frame whose sum is wrong, because a commit that was never finished ends there too; everything after it would be lost without a
 * word. A commit behind that frame which another frame was written after tells the two apart: nothing is written behind a commit before
 * it is synced.
 */
export function damageOfLog(path: string): string | undefined {
  const log = `${path}-wal`;
  let before: Buffer | undefined;
  for (let reading = 0; reading < READINGS; reading++) {
    if (!existsSync(log)) return undefined;
    const bytes = readFileSync(log);
    const lost = lostCommit(bytes);
    if (lost === undefined) return undefined;
    if (before?.equals(bytes) === true)
      return `The log ${log} is damaged: a commit that was finished lies behind ${lost}, and would be lost.`;
    before = bytes;
  }
  return undefined;
}

/**
 * Flushes the log to the disk. A process that died may have written a commit and not flushed it: whoever opens the ledger next finds it, and
 * must not tell anybody of it before it is where no power failure reaches it. (Closing a descriptor gives up the process's locks on its file;
 * SQLite locks the database and the shared memory, never the log.)
 */
export function syncLog(path: string): void {
  const log = `${path}-wal`;
  if (!existsSync(log)) return;
  const descriptor = openSync(log, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What is damaged, when a finished commit lies behind it; undefined for a log that is sound or was not finished. */
function lostCommit(bytes: Buffer): string | undefined {
  if (bytes.length <= HEADER_BYTES) return undefined;
  const header = bytes.subarray(0, HEADER_BYTES);
  // Of a log that was never begun nothing but its length may have reached the disk.
  if (header.every((byte) => byte === 0)) return undefined;
  const magic = header.readUInt32BE(0);
  const littleEndian = magic !== MAGIC_BIG_ENDIAN;
  const headerSum = sumOver(littleEndian, [0, 0], header.subarray(0, 24));
  const headerSound = [MAGIC_BIG_ENDIAN, MAGIC_LITTLE_ENDIAN].includes(magic) && isSum(header, 24, headerSum);
  const pageBytes = headerSound ? header.readUInt32BE(8) : PAGE_BYTES;
  const frames = framesOf(bytes, pageBytes);
  const [first] = frames;
  const salts = headerSound ? header.subarray(16, 24) : first?.subarray(8, 16);
  if (salts === undefined) return undefined;

  const sound = headerSound ? soundFrames(littleEndian, headerSum, salts, frames) : 0;
  // From the frame that is damaged itself: its page may be, and its header not.
  for (let at = sound; at + 1 < frames.length; at++) {
    const [commit, next] = [frames[at]!, frames[at + 1]!];
    const isCommit = commit.readUInt32BE(4) !== 0 && salts.equals(commit.subarray(8, 16));
    if (isCommit && follows(littleEndian, storedSum(commit), salts, next))
      return headerSound ? `frame ${sound + 1} of ${frames.length}` : 'its header';
  }
  return undefined;
}

/** How many frames from the beginning are as they were written. */
function soundFrames(littleEndian: boolean, headerSum: Sum, salts: Buffer, frames: readonly Buffer[]): number {
  let sum = headerSum;
  for (const [index, frame] of frames.entries()) {
    if (!follows(littleEndian, sum, salts, frame)) return index;
    sum = storedSum(frame);
  }
  return frames.length;
}

/** Of every ledger: SQLite's default when the file was made. Asked only when the log's header cannot be believed. */
const PAGE_BYTES = 4096;

function framesOf(bytes: Buffer, pageBytes: number): Buffer[] {
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const count = Math.floor((bytes.length - HEADER_BYTES) / frameBytes);
  return Array.from({ length: count }, (_, index) => {
    const at = HEADER_BYTES + index * frameBytes;
    return bytes.subarray(at, at + frameBytes);
  });
}

/** Whether a frame is of this log and was written behind the one with this sum. */
function follows(littleEndian: boolean, sum: Sum, salts: Buffer, frame: Buffer): boolean {
  if (!salts.equals(frame.subarray(8, 16))) return false;
  const afterHeader = sumOver(littleEndian, sum, frame.subarray(0, 8));
  return isSum(frame, 16, sumOver(littleEndian, afterHeader, frame.subarray(FRAME_HEADER_BYTES)));
}

function storedSum(frame: Buffer): Sum {
  return [frame.readUInt32BE(16), frame.readUInt32BE(20)];
}

function isSum(bytes: Buffer, at: number, [first, second]: Sum): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function sumOver(littleEndian: boolean, before: Sum, bytes: Buffer): Sum {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [first, second] = before;
  for (let at = 0; at + 8 <= view.byteLength; at += 8) {
    first = (first + view.getUint32(at, littleEndian) + second) >>> 0;
    second = (second + view.getUint32(at + 4, littleEndian) + first) >>> 0;
  }
  return [first, second];
}
