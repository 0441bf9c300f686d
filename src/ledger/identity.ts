import { createHmac, timingSafeEqual } from 'node:crypto';
import { assert } from '../errors.ts';
import { CREDENTIAL_BYTES } from '../limits.ts';
import { ascii8, joinFields, len16 } from '../wire/field-writer.ts';

/** One fact of a customer's profile. Tags are unique and ascending by their bytes within a profile. */
export interface ProfileField {
  readonly tag: string;
  readonly value: Uint8Array;
}

/** What a customer shows of itself: at enrolment, and again in every AUTH. */
export interface PresentedIdentity {
  readonly customerId: string;
  readonly profile: readonly ProfileField[];
  /** 32 bytes. */
  readonly credential: Uint8Array;
}

/** The keys of the digests, by version. Kept outside the database: whoever reads the ledger alone can test no guess against it. */
export interface PepperRing {
  /** The version new digests are made with. */
  readonly current: number;
  readonly byVersion: ReadonlyMap<number, Uint8Array>;
}

/** Digests of a profile and credential: all that is stored of them. Each 32 bytes. */
export interface IdentityDigests {
  readonly pepperVersion: number;
  readonly fields: readonly { readonly tag: string; readonly digest: Uint8Array }[];
  readonly credentialDigest: Uint8Array;
}

export type CustomerStatus = 'active' | 'disabled';

/** An enrolled customer. */
export interface CustomerRecord extends IdentityDigests {
  readonly id: string;
  readonly status: CustomerStatus;
  readonly createdTimeUs: bigint;
}

export const DIGEST_BYTES = 32;
const PEPPER_BYTES_MIN = 32;
/** Stands where a record has nothing: an unknown customer, or fewer fields than presented. No HMAC output is known to equal it. */
const DUMMY_DIGEST = new Uint8Array(DIGEST_BYTES);
const DUMMY_PEPPER = new Uint8Array(PEPPER_BYTES_MIN).fill(0x5a);

/** HMAC-SHA-256 of a message, 32 bytes. */
export type Mac = (key: Uint8Array, message: Uint8Array) => Uint8Array;

const nodeMac: Mac = (key, message) => createHmac('sha256', key).update(message).digest();

const FIELD_LABEL = Buffer.from('sallyport/1 profile field\0', 'latin1');
const CREDENTIAL_LABEL = Buffer.from('sallyport/1 credential\0', 'latin1');

/**
 * HMAC-SHA-256(pepper, "sallyport/1 profile field" || len8(customer id) || len8(tag) || len16(value)). The customer id and the tag in the message do
 * what a salt would: equal values of two customers, or under two tags, have unrelated digests.
 */
function fieldDigest(mac: Mac, pepper: Uint8Array, customerId: string, field: ProfileField): Uint8Array {
  const { tag, value } = field;
  return wipingMac(mac, pepper, joinFields([FIELD_LABEL, ...ascii8(customerId), ...ascii8(tag), ...len16(value)]));
}

function credentialDigest(mac: Mac, pepper: Uint8Array, customerId: string, credential: Uint8Array): Uint8Array {
  return wipingMac(mac, pepper, joinFields([CREDENTIAL_LABEL, ...ascii8(customerId), credential]));
}

function wipingMac(mac: Mac, pepper: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = mac(pepper, message);
  message.fill(0);
  return digest;
}

/** The digests to store for a customer, made with the current pepper. The profile must already be canonical (tags ascending, unique). */
export function digestIdentity(peppers: PepperRing, identity: PresentedIdentity, mac: Mac = nodeMac): IdentityDigests {
  const pepper = peppers.byVersion.get(peppers.current);
  assert(
    pepper !== undefined && pepper.length >= PEPPER_BYTES_MIN,
    'the current pepper is there and has at least 32 bytes',
  );
  assert(identity.credential.length === CREDENTIAL_BYTES, 'a credential has 32 bytes');
  const tags = identity.profile.map((field) => field.tag);
  assert(
    tags.every((tag, index) => index === 0 || tags[index - 1]! < tag),
    'profile tags are unique and ascending',
  );
  return {
    pepperVersion: peppers.current,
    fields: identity.profile.map((field) => ({
      tag: field.tag,
      digest: new Uint8Array(fieldDigest(mac, pepper, identity.customerId, field)),
    })),
    credentialDigest: new Uint8Array(credentialDigest(mac, pepper, identity.customerId, identity.credential)),
  };
}

/**
 * Whether what was presented is the identity of an active customer. The work (one HMAC and one constant-time comparison for each presented
 * field and for the credential) depends on what was presented alone: not on whether the customer exists, is disabled, or where it differs.
 */
export function verifyIdentity(
  peppers: PepperRing,
  record: CustomerRecord | undefined,
  presented: PresentedIdentity,
  mac: Mac = nodeMac,
): boolean {
  const known = record === undefined ? undefined : peppers.byVersion.get(record.pepperVersion);
  const pepper = known ?? DUMMY_PEPPER;
  // Fields compare by position: the tag is inside the HMAC, and both lists ascend, so equal profiles agree everywhere.
  let agree = 1;
  for (const [index, field] of presented.profile.entries()) {
    const expected = record?.fields[index]?.digest ?? DUMMY_DIGEST;
    agree &= Number(timingSafeEqual(fieldDigest(mac, pepper, presented.customerId, field), expected));
  }
  const expected = record?.credentialDigest ?? DUMMY_DIGEST;
  agree &= Number(timingSafeEqual(credentialDigest(mac, pepper, presented.customerId, presented.credential), expected));
  agree &= Number(record?.fields.length === presented.profile.length);
  agree &= Number(record?.id === presented.customerId);
  agree &= Number(record?.status === 'active');
  agree &= Number(known !== undefined);
  return agree === 1;
}
