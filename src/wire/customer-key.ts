import { assert } from '../errors.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { len16 } from './field-writer.ts';
import { encodeFrame, HEADER_BYTES } from './frame.ts';
import { LEASE_TOKEN_BYTES, PUBLIC_VALUE_BYTES_MAX, PUBLIC_VALUE_BYTES_MIN, SESSION_ID_BYTES } from './offer.ts';

/** docs/PROTOCOL.md section 4.1. */
export interface CustomerKey {
  /** 16 bytes. */
  readonly sessionId: Uint8Array;
  /** 32 bytes. */
  readonly leaseToken: Uint8Array;
  /** 32 bytes. */
  readonly claimSecret: Uint8Array;
  /** Yc. Whether it has the group's length is seen where the group is known. */
  readonly publicValue: Uint8Array;
  /** 32 bytes. */
  readonly finished: Uint8Array;
}

export const CLAIM_SECRET_BYTES = 32;
export const FINISHED_BYTES = 32;
/** Where Yc begins in the frame: header, session_id, lease_token, claim_secret, and the two bytes of Yc's own length. */
export const CUSTOMER_PUBLIC_VALUE_OFFSET =
  HEADER_BYTES + SESSION_ID_BYTES + LEASE_TOKEN_BYTES + CLAIM_SECRET_BYTES + 2;

export function encodeCustomerKey(message: CustomerKey): Uint8Array {
  assert(message.sessionId.length === SESSION_ID_BYTES, 'session_id has 16 bytes');
  assert(message.leaseToken.length === LEASE_TOKEN_BYTES, 'lease_token has 32 bytes');
  assert(message.claimSecret.length === CLAIM_SECRET_BYTES, 'claim_secret has 32 bytes');
  assert(message.finished.length === FINISHED_BYTES, 'customer_finished has 32 bytes');
  return encodeFrame('CUSTOMER_KEY', [
    message.sessionId,
    message.leaseToken,
    message.claimSecret,
    ...len16(message.publicValue),
    message.finished,
  ]);
}

/** The body of a CUSTOMER_KEY frame. Byte fields are views. */
export function decodeCustomerKey(body: Uint8Array): Decoded<CustomerKey> {
  const fields = new FieldReader(body);
  return fields.finish({
    sessionId: fields.bytes(SESSION_ID_BYTES, 'session_id'),
    leaseToken: fields.bytes(LEASE_TOKEN_BYTES, 'lease_token'),
    claimSecret: fields.bytes(CLAIM_SECRET_BYTES, 'claim_secret'),
    publicValue: fields.bytes16('Yc', { min: PUBLIC_VALUE_BYTES_MIN, max: PUBLIC_VALUE_BYTES_MAX }),
    finished: fields.bytes(FINISHED_BYTES, 'customer_finished'),
  });
}
