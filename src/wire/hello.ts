import { assert } from '../errors.ts';
import type { Decoded } from './decoded.ts';
import { FieldReader } from './field-reader.ts';
import { type Field, len8, len16 } from './field-writer.ts';
import { encodeFrame, HEADER_BYTES } from './frame.ts';

/** docs/PROTOCOL.md section 3.1. Lists hold numbers as they travel: values this side does not know are passed over by who chooses. */
export interface Hello {
  /** 32 bytes. */
  readonly customerRandom: Uint8Array;
  /** 32 bytes. */
  readonly claimCommitment: Uint8Array;
  readonly versions: readonly number[];
  readonly groups: readonly number[];
  readonly kems: readonly number[];
  readonly aeads: readonly number[];
  /** 1184 bytes when ML-KEM-768 is among the kems, else empty. */
  readonly kemKey: Uint8Array;
  /** 8 bytes or empty. */
  readonly hostKeyHint: Uint8Array;
  /** At most 128 bytes; empty in a first HELLO. */
  readonly cookie: Uint8Array;
  /** 8 bytes or empty. */
  readonly puzzleSolution: Uint8Array;
}

/** A HELLO as it came: `bound` is the body without its last two fields, what a cookie binds. */
export interface ReceivedHello extends Hello {
  readonly bound: Uint8Array;
}

export const RANDOM_BYTES = 32;
export const CLAIM_COMMITMENT_BYTES = 32;
export const KEM_ML_KEM_768 = 0x0201;
export const KEM_KEY_BYTES = 1184;
export const HOST_KEY_HINT_BYTES = 8;
export const COOKIE_BYTES_MAX = 128;
export const PUZZLE_SOLUTION_BYTES = 8;
/** More than there are values to choose from; keeps the duplicate check and the choice trivial. */
const LIST_VALUES_MAX = 8;

export function encodeHello(hello: Hello): Uint8Array {
  assert(hello.customerRandom.length === RANDOM_BYTES, 'customer_random has 32 bytes');
  assert(hello.claimCommitment.length === CLAIM_COMMITMENT_BYTES, 'claim_commitment has 32 bytes');
  assert(hello.kemKey.length === kemKeyBytes(hello.kems), 'the encapsulation key is there exactly with ML-KEM-768');
  assert([0, HOST_KEY_HINT_BYTES].includes(hello.hostKeyHint.length), 'host_key_hint has 8 bytes or none');
  assert(hello.cookie.length <= COOKIE_BYTES_MAX, 'a cookie has at most 128 bytes');
  assert([0, PUZZLE_SOLUTION_BYTES].includes(hello.puzzleSolution.length), 'puzzle_solution has 8 bytes or none');
  return encodeFrame('HELLO', [
    hello.customerRandom,
    hello.claimCommitment,
    ...list(1, hello.versions),
    ...list(2, hello.groups),
    ...list(2, hello.kems),
    ...list(2, hello.aeads),
    ...len16(hello.kemKey),
    ...len8(hello.hostKeyHint),
    ...len16(hello.cookie),
    ...len8(hello.puzzleSolution),
  ]);
}

/** The body of a HELLO frame. Byte fields are views. */
export function decodeHello(body: Uint8Array): Decoded<ReceivedHello> {
  const fields = new FieldReader(body);
  const customerRandom = fields.bytes(RANDOM_BYTES, 'customer_random');
  const claimCommitment = fields.bytes(CLAIM_COMMITMENT_BYTES, 'claim_commitment');
  const versions = readList(fields, 1, 'versions');
  const groups = readList(fields, 2, 'groups');
  const kems = readList(fields, 2, 'kems');
  const aeads = readList(fields, 2, 'aeads');
  const keyBytes = kemKeyBytes(kems);
  const kemKey = fields.bytes16('kem_key', { min: keyBytes, max: keyBytes });
  const hostKeyHint = readOptional(fields, HOST_KEY_HINT_BYTES, 'host_key_hint');
  const cookie = fields.bytes16('cookie', { min: 0, max: COOKIE_BYTES_MAX });
  const puzzleSolution = readOptional(fields, PUZZLE_SOLUTION_BYTES, 'puzzle_solution');
  const tailBytes = 2 + cookie.length + 1 + puzzleSolution.length;
  const bound = body.subarray(0, body.length - tailBytes);
  return fields.finish({
    customerRandom,
    claimCommitment,
    versions,
    groups,
    kems,
    aeads,
    kemKey,
    hostKeyHint,
    cookie,
    puzzleSolution,
    bound,
  });
}

/** The part of a HELLO frame that a cookie binds: its body without cookie and puzzle_solution. */
export function boundPartOfHello(helloFrame: Uint8Array, hello: Pick<Hello, 'cookie' | 'puzzleSolution'>): Uint8Array {
  const tailBytes = 2 + hello.cookie.length + 1 + hello.puzzleSolution.length;
  return helloFrame.subarray(HEADER_BYTES, helloFrame.length - tailBytes);
}

function kemKeyBytes(kems: readonly number[]): number {
  return kems.includes(KEM_ML_KEM_768) ? KEM_KEY_BYTES : 0;
}

function list(width: 1 | 2, values: readonly number[]): Field[] {
  assert(values.length >= 1 && values.length <= LIST_VALUES_MAX, 'a list has 1 to 8 values');
  assert(new Set(values).size === values.length, 'a list repeats no value');
  return [[1, values.length], ...values.map((value): Field => [width, value])];
}

function readList(fields: FieldReader, width: 1 | 2, what: string): number[] {
  const count = fields.u8(what);
  if (count < 1 || count > LIST_VALUES_MAX) fields.refuse('BAD_FRAME', `${what} has not 1 to 8 values`);
  const values: number[] = [];
  for (let index = 0; index < count && fields.sound; index++) {
    const value = width === 1 ? fields.u8(what) : fields.u16(what);
    if (values.includes(value)) fields.refuse('BAD_FRAME', `${what} repeats a value`);
    values.push(value);
  }
  return values;
}

/** len8(x) of a field that is there with its one length, or empty. */
function readOptional(fields: FieldReader, length: number, what: string): Uint8Array {
  const field = fields.bytes8(what, { min: 0, max: length });
  if (field.length !== 0 && field.length !== length) fields.refuse('BAD_FRAME', `${what} is too short`);
  return field;
}
