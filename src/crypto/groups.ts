/**
 * The three groups of the protocol: safe primes p = 2q + 1 of RFC 7919 appendix A, generator 2. Nothing else is ever used, and no prime
 * that a peer sends enters any arithmetic.
 */

export type GroupName = 'ffdhe2048' | 'ffdhe3072' | 'ffdhe4096';

export interface Group {
  readonly name: GroupName;
  /** The group's number inside the WebAssembly core. */
  readonly index: 0 | 1 | 2;
  /** IANA TLS Supported Groups codepoint (RFC 7919 §2). */
  readonly id: number;
  /** |p| in bytes: the length of every public and shared value. */
  readonly byteLength: number;
  /** The protocol's fixed exponent length: the whole bytes that hold RFC 7919 appendix A's 225, 275 and 325 bits. */
  readonly exponentByteLength: number;
  /** The generator as the single byte that travels. */
  readonly g: number;
  /** The prime, big-endian; a fresh copy for each caller, so that nobody can change the constant. */
  p(): Uint8Array<ArrayBuffer>;
}

/** RFC 7919 appendix A.1. */
const P_2048 =
  'ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9' +
  '7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935' +
  '984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb' +
  'b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61' +
  '9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa' +
  '886b423861285c97ffffffffffffffff';

/** RFC 7919 appendix A.2. */
const P_3072 =
  'ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9' +
  '7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935' +
  '984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb' +
  'b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61' +
  '9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa' +
  '886b4238611fcfdcde355b3b6519035bbc34f4def99c023861b46fc9d6e6c9077ad91d2691f7f7ee598cb0fac186d91c' +
  'aefe130985139270b4130c93bc437944f4fd4452e2d74dd364f2e21e71f54bff5cae82ab9c9df69ee86d2bc522363a0d' +
  'abc521979b0deada1dbf9a42d5c4484e0abcd06bfa53ddef3c1b20ee3fd59d7c25e41d2b66c62e37ffffffffffffffff';

/** RFC 7919 appendix A.3. */
const P_4096 =
  'ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9' +
  '7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935' +
  '984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb' +
  'b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61' +
  '9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa' +
  '886b4238611fcfdcde355b3b6519035bbc34f4def99c023861b46fc9d6e6c9077ad91d2691f7f7ee598cb0fac186d91c' +
  'aefe130985139270b4130c93bc437944f4fd4452e2d74dd364f2e21e71f54bff5cae82ab9c9df69ee86d2bc522363a0d' +
  'abc521979b0deada1dbf9a42d5c4484e0abcd06bfa53ddef3c1b20ee3fd59d7c25e41d2b669e1ef16e6f52c3164df4fb' +
  '7930e9e4e58857b6ac7d5f42d69f6d187763cf1d5503400487f55ba57e31cc7a7135c886efb4318aed6a1e012d9e6832' +
  'a907600a918130c46dc778f971ad0038092999a333cb8b7a1a1db93d7140003c2a4ecea9f98d0acc0a8291cdcec97dcf' +
  '8ec9b55a7f88a46b4db5a851f44182e1c68a007e5e655f6affffffffffffffff';

function defineGroup(name: GroupName, index: 0 | 1 | 2, id: number, exponentByteLength: number, hex: string): Group {
  const prime = new Uint8Array(Buffer.from(hex, 'hex'));
  return Object.freeze({
    name,
    index,
    id,
    byteLength: prime.length,
    exponentByteLength,
    g: 2,
    p: () => prime.slice(),
  });
}

export const GROUPS: Readonly<Record<GroupName, Group>> = Object.freeze({
  ffdhe2048: defineGroup('ffdhe2048', 0, 0x0100, 29, P_2048),
  ffdhe3072: defineGroup('ffdhe3072', 1, 0x0101, 35, P_3072),
  ffdhe4096: defineGroup('ffdhe4096', 2, 0x0102, 41, P_4096),
});

export const GROUP_NAMES: readonly GroupName[] = Object.freeze(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'] as const);

/** The group of an IANA codepoint, or undefined when it is none of ours. */
export function groupOfId(id: number): Group | undefined {
  return GROUP_NAMES.map((name) => GROUPS[name]).find((group) => group.id === id);
}

export function isGroupName(value: unknown): value is GroupName {
  return typeof value === 'string' && Object.hasOwn(GROUPS, value);
}
