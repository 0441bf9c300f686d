import { assert } from '../errors.ts';
import {
  CREDENTIAL_BYTES,
  CUSTOMER_ID_BYTES_MAX,
  PROFILE_FIELDS_MAX,
  PROFILE_TAG_BYTES_MAX,
  PROFILE_VALUE_BYTES_MAX,
} from '../limits.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { ascii8, type Field, joinFields, len16 } from './field-writer.ts';

export interface ProfileField {
  readonly tag: string;
  readonly value: Uint8Array;
}

/** AUTH (docs/PROTOCOL.md section 4.3): what a customer shows of itself. */
export interface Auth {
  readonly customerId: string;
  /** Tags strictly ascending by their bytes. */
  readonly profile: readonly ProfileField[];
  /** 32 bytes. Secret. */
  readonly credential: Uint8Array;
}

const CUSTOMER_ID = /^[a-z0-9][a-z0-9._-]*$/;
const TAG = /^[a-z0-9][a-z0-9_-]*$/;

export function isCustomerId(text: string): boolean {
  return text.length <= CUSTOMER_ID_BYTES_MAX && CUSTOMER_ID.test(text);
}

export function isProfileTag(text: string): boolean {
  return text.length <= PROFILE_TAG_BYTES_MAX && TAG.test(text);
}

/** Holds the credential: whoever gets it wipes it. */
export function encodeAuth(auth: Auth): Uint8Array {
  assert(isCustomerId(auth.customerId), 'a customer id has the characters of one');
  assert(auth.credential.length === CREDENTIAL_BYTES, 'a credential has 32 bytes');
  assert(auth.profile.length <= PROFILE_FIELDS_MAX, 'a profile has at most 16 fields');
  const fields = auth.profile.flatMap(({ tag, value }, index): Field[] => {
    assert(isProfileTag(tag), 'a profile tag has the characters of one');
    assert(index === 0 || auth.profile[index - 1]!.tag < tag, 'profile tags ascend');
    assert(value.length <= PROFILE_VALUE_BYTES_MAX, 'a profile value has at most 256 bytes');
    return [...ascii8(tag), ...len16(value)];
  });
  return joinFields([...ascii8(auth.customerId), [1, auth.profile.length], ...fields, auth.credential]);
}

/** Byte fields are views. */
export function decodeAuth(content: Uint8Array): Decoded<Auth> {
  const fields = new FieldReader(content);
  const customerId = fields.ascii8(
    'customer_id',
    { min: 1, max: CUSTOMER_ID_BYTES_MAX, beyond: 'TOO_LARGE' },
    CUSTOMER_ID,
  );
  const count = fields.u8('count of profile fields');
  if (count > PROFILE_FIELDS_MAX) fields.refuse('TOO_LARGE', 'the profile has too many fields');
  const profile: ProfileField[] = [];
  for (let index = 0; index < count && fields.sound; index++) {
    const tag = fields.ascii8('profile tag', { min: 1, max: PROFILE_TAG_BYTES_MAX, beyond: 'TOO_LARGE' }, TAG);
    const value = fields.bytes16('profile value', { min: 0, max: PROFILE_VALUE_BYTES_MAX, beyond: 'TOO_LARGE' });
    const before = profile.at(-1);
    // Tags are ASCII, so the order of strings is the order of bytes.
    if (fields.sound && before !== undefined && before.tag >= tag)
      fields.refuse('BAD_FRAME', 'profile tags do not ascend');
    profile.push({ tag, value });
  }
  return fields.finish({ customerId, profile, credential: fields.bytes(CREDENTIAL_BYTES, 'credential') });
}
