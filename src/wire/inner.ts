/** The types of messages inside records (docs/PROTOCOL.md section 4.2). */

export const INNER_TYPES = {
  FINISHED: 0x10,
  AUTH: 0x11,
  AUTH_RESULT: 0x12,
  TRANSACTION: 0x13,
  RECEIPT: 0x14,
  REFUSAL: 0x15,
  QUERY: 0x16,
  ANSWER: 0x17,
  ERROR: 0x18,
  CLOSE: 0x19,
} as const;

export type InnerType = keyof typeof INNER_TYPES;

const NAMES: ReadonlyMap<number, InnerType> = new Map(
  (Object.keys(INNER_TYPES) as InnerType[]).map((name) => [INNER_TYPES[name], name]),
);

/** Undefined for a byte that is none of this protocol's. */
export function innerTypeOf(byte: number): InnerType | undefined {
  return NAMES.get(byte);
}

/** A message inside a record. */
export interface InnerMessage {
  readonly type: InnerType;
  readonly content: Uint8Array;
}
