import { describe, expect, it } from 'vitest';
import { encodeAlertFrame } from '../../../src/wire/alert.ts';
import { encodeFrame, encodeHeader, FRAMES, type FrameType, frameOf } from '../../../src/wire/frame.ts';
import { FrameReader, UNREAD_BYTES_MAX } from '../../../src/wire/frame-reader.ts';

const TYPES = Object.keys(FRAMES) as FrameType[];
const filled = (length: number, byte = 7): Uint8Array => new Uint8Array(length).fill(byte);

function readAll(reader: FrameReader): string[] {
  const found: string[] = [];
  for (;;) {
    const reading = reader.next(TYPES);
    if (reading.kind === 'incomplete') return found;
    if (reading.kind === 'refused') return [...found, reading.code];
    expect(reading.frame.body).toEqual(reading.frame.bytes.subarray(4));
    found.push(Buffer.from(reading.frame.bytes).toString('hex'));
  }
}

const FRAMES_SENT = [
  encodeAlertFrame({ code: 'BUSY', retryAfterMs: 9 }),
  encodeFrame('RETRY', [filled(4)]),
  encodeFrame('RECORD', [filled(80)]),
  encodeFrame('RETRY', [filled(131)]),
];
const STREAM = Uint8Array.from(FRAMES_SENT.flatMap((frame) => [...frame]));
const EXPECTED = FRAMES_SENT.map((frame) => Buffer.from(frame).toString('hex'));

describe('the frame reader', () => {
  it('gives the same frames for every split of the stream in two, and in three', () => {
    for (let first = 0; first <= STREAM.length; first++) {
      for (let second = first; second <= STREAM.length; second += 7) {
        const reader = new FrameReader();
        const found = [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)].flatMap(
          (piece) => {
            reader.push(piece);
            return readAll(reader);
          },
        );
        expect(found).toEqual(EXPECTED);
        expect(reader.pendingBytes).toBe(0);
      }
    }
  });

  it('gives them byte by byte, and all at once', () => {
    const bytewise = new FrameReader();
    const found = [...STREAM].flatMap((byte) => {
      bytewise.push(Uint8Array.of(byte));
      return readAll(bytewise);
    });
    expect(found).toEqual(EXPECTED);
    const whole = new FrameReader();
    for (const byte of STREAM) whole.push(Uint8Array.of(byte));
    expect(readAll(whole)).toEqual(EXPECTED);
  });

  it('does not copy a frame that lies whole in what came', () => {
    const reader = new FrameReader();
    reader.push(STREAM);
    const reading = reader.next(TYPES);
    expect(reading.kind === 'frame' && reading.frame.bytes.buffer === STREAM.buffer).toBe(true);
  });

  it.each(TYPES)('%s: the length at its bounds, and beyond them', (type) => {
    const { type: byte, bodyMin, bodyMax } = FRAMES[type];
    const step = type === 'RECORD' ? 64 : 1;
    const verdictOf = (length: number): string => {
      const reader = new FrameReader();
      reader.push(Uint8Array.of(byte, 1, length >>> 8, length & 0xff));
      const reading = reader.next([type]);
      return reading.kind === 'refused' ? reading.code : reading.kind;
    };
    expect(verdictOf(bodyMin - step)).toBe('BAD_FRAME');
    expect(verdictOf(bodyMin - 1)).toBe('BAD_FRAME');
    expect(verdictOf(bodyMin)).toBe('incomplete');
    expect(verdictOf(bodyMax)).toBe('incomplete');
    expect(verdictOf(bodyMax + 1)).toBe('BAD_FRAME');
  });

  it('refuses by the four header bytes alone', () => {
    const verdictOf = (...header: number[]): string => {
      const reader = new FrameReader();
      reader.push(Uint8Array.from(header));
      const reading = reader.next(['HELLO']);
      return reading.kind === 'refused' ? reading.code : reading.kind;
    };
    expect(verdictOf(0x01, 0x01, 0x00)).toBe('incomplete');
    expect(verdictOf(0x01, 0x02, 0x00, 0x60)).toBe('UNSUPPORTED_VERSION');
    expect(verdictOf(0x09, 0x00, 0x00, 0x60)).toBe('UNSUPPORTED_VERSION');
    expect(verdictOf(0x00, 0x01, 0x00, 0x60)).toBe('BAD_FRAME');
    expect(verdictOf(0x07, 0x01, 0x00, 0x60)).toBe('BAD_FRAME');
    expect(verdictOf(0x03, 0x01, 0x03, 0x00)).toBe('BAD_FRAME');
    expect(verdictOf(...Buffer.from('GET / HTTP/1.1'))).toBe('UNSUPPORTED_VERSION');
  });

  it('refuses a RECORD whose length is not padded', () => {
    for (const length of [81, 95, 143, 145]) {
      const reader = new FrameReader();
      reader.push(Uint8Array.of(0x05, 0x01, length >>> 8, length & 0xff));
      expect(reader.next(['RECORD'])).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
    }
    expect(frameOf(encodeFrame('RECORD', [filled(144)]))?.type).toBe('RECORD');
  });

  it('stays refused, whatever comes after', () => {
    const reader = new FrameReader();
    reader.push(Uint8Array.of(0x42, 0x01, 0, 0));
    expect(reader.next(TYPES).kind).toBe('refused');
    reader.push(STREAM);
    expect(reader.next(TYPES).kind).toBe('refused');
    expect(reader.pendingBytes).toBe(0);
  });

  it('checks a header against what is expected when it is read', () => {
    const reader = new FrameReader();
    reader.push(FRAMES_SENT[1]!);
    expect(reader.next(['RETRY']).kind).toBe('frame');
    reader.push(FRAMES_SENT[1]!);
    expect(reader.next(['OFFER'])).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
  });

  it('counts what is unread, and says when it is too much', () => {
    const reader = new FrameReader();
    reader.push(filled(UNREAD_BYTES_MAX));
    expect(reader.overflown).toBe(false);
    reader.push(filled(1));
    expect(reader.overflown).toBe(true);
    expect(reader.pendingBytes).toBe(UNREAD_BYTES_MAX + 1);
  });

  it('takes a full record byte by byte in time that grows with its length alone', () => {
    const record = encodeFrame('RECORD', [filled(FRAMES.RECORD.bodyMax)]);
    const reader = new FrameReader();
    let frames = 0;
    for (let at = 0; at < record.length; at++) {
      reader.push(record.subarray(at, at + 1));
      if (reader.next(['RECORD']).kind === 'frame') frames++;
    }
    expect(frames).toBe(1);
  });

  it('does not make a frame that no one could read', () => {
    expect(() => encodeHeader('RECORD', 65_489)).toThrow(/within its bounds/);
    expect(() => encodeFrame('ERROR', [filled(4)])).toThrow(/within its bounds/);
    expect(frameOf(filled(3))).toBeUndefined();
    expect(frameOf(Uint8Array.from([...FRAMES_SENT[0]!, 0]))).toBeUndefined();
  });
});
