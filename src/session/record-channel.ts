/** The encrypted records of one session as one side has them: keys, counts and caps (docs/PROTOCOL.md section 4.2). */

import { type SessionKeys, wipeSessionKeys } from '../crypto/key-schedule.ts';
import { openRecord, RECORD_BYTES_TOTAL_MAX, RECORDS_MAX, sealedBytes, sealRecord } from '../crypto/records.ts';
import type { AeadName } from '../crypto/suite.ts';
import { assert } from '../errors.ts';
import { encodeHeader, HEADER_BYTES } from '../wire/frame.ts';
import { INNER_TYPES, type InnerMessage, type InnerType, innerTypeOf } from '../wire/inner.ts';

export type Side = 'customer' | 'server';

/** Secret: wiped by the state machine at the end of the session. Consumed by every record, like a state. */
export interface RecordChannel {
  /** Whose end of the session this is. */
  readonly side: Side;
  readonly aead: AeadName;
  readonly keys: SessionKeys;
  readonly sent: RecordCount;
  readonly received: RecordCount;
}

/** Of one direction. */
export interface RecordCount {
  /** Records so far: the sequence number of the next one. */
  readonly records: number;
  /** Bytes of RECORD frames so far, headers included. */
  readonly bytes: number;
}

export type OpenedMessage =
  | { readonly kind: 'message'; readonly channel: RecordChannel; readonly message: InnerMessage }
  | { readonly kind: 'refused'; readonly code: 'DECRYPT_FAILED' | 'BAD_FRAME' | 'LIMIT'; readonly what: string };

const NONE: RecordCount = { records: 0, bytes: 0 };
/** Kept back in every direction, so that an ERROR or CLOSE can always be said: two of the smallest records. */
const LAST_WORDS: RecordCount = { records: 2, bytes: 2 * (HEADER_BYTES + 80) };

export function openChannel(side: Side, aead: AeadName, keys: SessionKeys): RecordChannel {
  return { side, aead, keys, sent: NONE, received: NONE };
}

export function wipeChannel(channel: RecordChannel): void {
  wipeSessionKeys(channel.keys);
}

/** Whether a message with this much content can be sent and leaves room for a last word. */
export function hasRoomFor(channel: RecordChannel, contentBytes: number): boolean {
  const { records, bytes } = channel.sent;
  return (
    records + 1 + LAST_WORDS.records <= RECORDS_MAX &&
    bytes + HEADER_BYTES + sealedBytes(contentBytes) + LAST_WORDS.bytes <= RECORD_BYTES_TOTAL_MAX
  );
}

/** The RECORD frame of a message. The caller has asked `hasRoomFor`, or says a last word. */
export function sealMessage(
  channel: RecordChannel,
  type: InnerType,
  content: Uint8Array,
): { readonly channel: RecordChannel; readonly bytes: Uint8Array } {
  const header = encodeHeader('RECORD', sealedBytes(content.length));
  const keys = channel.keys[channel.side];
  const bytes = sealRecord(channel.aead, keys, channel.sent.records, header, INNER_TYPES[type], content);
  const sent = count(channel.sent, bytes.length);
  assert(isWithinCaps(sent), 'a session stays below its caps');
  return { channel: { ...channel, sent }, bytes };
}

/** The message of a RECORD frame from the peer. */
export function openMessage(channel: RecordChannel, frame: Uint8Array): OpenedMessage {
  const received = count(channel.received, frame.length);
  if (!isWithinCaps(received)) return { kind: 'refused', code: 'LIMIT', what: 'the session has carried all it may' };
  const keys = channel.keys[channel.side === 'server' ? 'customer' : 'server'];
  const opened = openRecord(channel.aead, keys, channel.received.records, frame);
  switch (opened.kind) {
    case 'decryptFailed':
      return { kind: 'refused', code: 'DECRYPT_FAILED', what: 'a record does not decrypt' };
    case 'malformed':
      return { kind: 'refused', code: 'BAD_FRAME', what: opened.what };
    case 'opened': {
      const type = innerTypeOf(opened.type);
      if (type === undefined) return { kind: 'refused', code: 'BAD_FRAME', what: 'the inner type is unknown' };
      return { kind: 'message', channel: { ...channel, received }, message: { type, content: opened.content } };
    }
  }
}

function count(before: RecordCount, frameBytes: number): RecordCount {
  return { records: before.records + 1, bytes: before.bytes + frameBytes };
}

function isWithinCaps(total: RecordCount): boolean {
  return total.records <= RECORDS_MAX && total.bytes <= RECORD_BYTES_TOTAL_MAX;
}
