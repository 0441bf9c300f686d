import { Writable } from 'node:stream';
import type { Streams } from '../../../src/cli/output.ts';

/** Streams that keep what was written; `tty` makes both a terminal of 100 columns. */
export class FakeStreams implements Streams {
  readonly stdout: CapturedStream;
  readonly stderr: CapturedStream;

  constructor(tty = false) {
    this.stdout = new CapturedStream(tty);
    this.stderr = new CapturedStream(tty);
  }
}

class CapturedStream extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 100;

  constructor(tty: boolean) {
    super();
    this.isTTY = tty;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  /** What styleText asks a terminal for. */
  hasColors(): boolean {
    return this.isTTY;
  }

  getColorDepth(): number {
    return this.isTTY ? 8 : 1;
  }
}
