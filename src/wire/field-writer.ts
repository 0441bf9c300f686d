import { assert } from '../errors.ts';

/** One field of a message as it will be written. Lengths are checked where messages are made: a wrong one is a bug here, not a peer's. */
export type Field = Uint8Array | Numeral;
type Numeral = readonly [width: 1 | 2 | 4, value: number] | readonly [width: 8, value: bigint];

/** len8(x). */
export function len8(bytes: Uint8Array): readonly Field[] {
  return [[1, bytes.length], bytes];
}

/** len16(x). */
export function len16(bytes: Uint8Array): readonly Field[] {
  return [[2, bytes.length], bytes];
}

/** len8(x) of ASCII. */
export function ascii8(text: string): readonly Field[] {
  return len8(ascii(text));
}

export function ascii(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'latin1');
  assert(
    bytes.every((byte, index) => byte < 0x80 && text.charCodeAt(index) === byte),
    'a text of the wire is ASCII',
  );
  return bytes;
}

/** The fields one behind the other, in one allocation of exactly their length. */
export function joinFields(fields: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + widthOf(field), 0));
  let at = 0;
  for (const field of fields) {
    if (field instanceof Uint8Array) bytes.set(field, at);
    else writeNumber(bytes, at, field);
    at += widthOf(field);
  }
  return bytes;
}

function widthOf(field: Field): number {
  return field instanceof Uint8Array ? field.length : field[0];
}

function writeNumber(bytes: Uint8Array, at: number, [width, value]: Numeral): void {
  if (width === 8) {
    writeNumber(bytes, at, [4, Number(value >> 32n)]);
    writeNumber(bytes, at + 4, [4, Number(value & 0xffff_ffffn)]);
    return;
  }
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * width), `a number fits its ${width} bytes`);
  for (let index = width - 1, rest = value; index >= 0; index--, rest >>>= 8) bytes[at + index] = rest & 0xff;
}
