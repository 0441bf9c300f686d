import type { SeededRandom } from './random.ts';

/** What befalls a disk, one operation at a time; asked anew at every operation. */
export interface DiskTroubles {
  /** Waits as long as an operation takes; longer than anybody's patience when it is stuck. */
  wait(): Promise<void>;
  writeFails(): boolean;
  syncFails(): boolean;
  /** Bytes that the disk holds at most now. */
  capacity(wantedBytes: number): number;
}

/** The file in the hands of one process: when that one dies, its handle is dead too, and what it asked for is answered no more. */
export interface OpenFile {
  /** A view of the file as it is now. */
  read(): Uint8Array;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
}

/** What is written and synced as one: a sector is there whole, or not at all, or (seldom) as nobody wrote it. */
const SECTOR_BYTES = 512;

/**
 * One file on a disk: what the operating system shows (written) and what would be left when the power goes now (synced). A write that fails
 * may have written a part; a sync that fails may have synced a part, and the rest still waits to be synced. (A disk that fails a sync
 * and then forgets what it was asked to sync is not modelled.)
 */
export class SimulatedDisk {
  readonly #random: SeededRandom;
  readonly #troubles: DiskTroubles;
  #shown = Buffer.alloc(65_536);
  #synced = Buffer.alloc(65_536);
  #shownBytes = 0;
  #syncedBytes = 0;
  #unsynced: { readonly offset: number; readonly length: number }[] = [];
  /** Grows when whoever has the file open dies. */
  #life = 0;
  #writing: { readonly offset: number; readonly bytes: Uint8Array } | undefined;

  constructor(random: SeededRandom, troubles: DiskTroubles) {
    this.#random = random;
    this.#troubles = troubles;
  }

  open(): OpenFile {
    const life = this.#life;
    return {
      read: () => this.#shown.subarray(0, this.#shownBytes),
      write: (offset, bytes) => this.#write(life, offset, bytes),
      sync: () => this.#sync(life),
    };
  }

  /** The thread or process that wrote is dead. What it was writing is there in part. */
  writerDied(): void {
    this.#life++;
    const writing = this.#writing;
    this.#writing = undefined;
    if (writing === undefined) return;
    const sectors = Math.ceil(writing.bytes.length / SECTOR_BYTES);
    this.#put(writing.offset, writing.bytes.subarray(0, this.#random.below(sectors + 1) * SECTOR_BYTES));
  }

  /** The power is gone: each sector that was not synced is there or not, as chance has it. */
  powerFailed(): void {
    this.writerDied();
    const fate = this.#random.below(4);
    for (const { offset, length } of this.#unsynced)
      this.#reach(offset, length, () => fate === 0 || (fate > 1 && this.#random.oneIn(2)));
    if (fate === 3) this.#spoilLastSector();
    this.#unsynced = [];
    this.#shown = Buffer.from(this.#synced);
    this.#shownBytes = this.#syncedBytes;
  }

  async #write(life: number, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#alive(life);
    this.#writing = { offset, bytes };
    await this.#wait(life);
    this.#writing = undefined;
    const room = Math.max(0, this.#troubles.capacity(offset + bytes.length) - offset);
    if (bytes.length > room) {
      this.#put(offset, bytes.subarray(0, room));
      throw new Error('ENOSPC: no space left on device');
    }
    if (this.#troubles.writeFails()) {
      this.#put(offset, bytes.subarray(0, this.#random.below(bytes.length + 1)));
      throw new Error('EIO: the write failed');
    }
    this.#put(offset, bytes);
  }

  async #sync(life: number): Promise<void> {
    await this.#wait(life);
    if (this.#troubles.syncFails()) {
      for (const { offset, length } of this.#unsynced) this.#reach(offset, length, () => this.#random.oneIn(2));
      throw new Error('EIO: the sync failed');
    }
    for (const { offset, length } of this.#unsynced) this.#reach(offset, length, () => true);
    this.#unsynced = [];
    // Synced now; that it is said takes a while more, in which everything can die.
    await this.#wait(life);
  }

  #spoilLastSector(): void {
    const last = this.#unsynced.at(-1);
    if (last === undefined || last.length === 0) return;
    const at = last.offset + this.#random.below(last.length);
    const end = Math.min(at + SECTOR_BYTES, last.offset + last.length);
    this.#growTo(end);
    this.#synced.set(this.#random.bytes(end - at), at);
    this.#syncedBytes = Math.max(this.#syncedBytes, end);
  }

  #put(offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#growTo(offset + bytes.length);
    this.#shown.set(bytes, offset);
    this.#shownBytes = Math.max(this.#shownBytes, offset + bytes.length);
    this.#unsynced.push({ offset, length: bytes.length });
  }

  /** Brings sectors of a range to where no power failure reaches them. */
  #reach(offset: number, length: number, survives: () => boolean): void {
    for (let at = offset; at < offset + length; ) {
      const end = Math.min(offset + length, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (survives()) {
        this.#shown.copy(this.#synced, at, at, end);
        this.#syncedBytes = Math.max(this.#syncedBytes, end);
      }
      at = end;
    }
  }

  #growTo(bytes: number): void {
    if (bytes <= this.#shown.length) return;
    const grown = (before: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> =>
      Buffer.concat([before, Buffer.alloc(Math.max(before.length, bytes))]);
    this.#shown = grown(this.#shown);
    this.#synced = grown(this.#synced);
  }

  async #wait(life: number): Promise<void> {
    await this.#troubles.wait();
    await this.#alive(life);
  }

  /** The dead do nothing and hear no answer. */
  async #alive(life: number): Promise<void> {
    if (life !== this.#life) await new Promise(() => undefined);
  }
}

/** A disk on which everything works at once. */
export function soundDisk(random: SeededRandom): SimulatedDisk {
  return new SimulatedDisk(random, {
    wait: () => Promise.resolve(),
    writeFails: () => false,
    syncFails: () => false,
    capacity: () => Number.MAX_SAFE_INTEGER,
  });
}
