import { quote } from './amounts.ts';

/**
 * A reader for the flat JSON documents of the built-in content types. Stricter than JSON.parse: one object whose members are all known,
 * none twice, each of its stated type; UTF-8 without errors, byte order mark, NUL or unpaired surrogates. What is signed and stored
 * must have one reading only.
 */
export interface MemberShape {
  readonly type: 'string' | 'integer';
  readonly required: boolean;
}

export type FlatShape = Readonly<Record<string, MemberShape>>;
export type FlatDocument = ReadonlyMap<string, string | number>;
export type ParsedDocument =
  | { readonly ok: true; readonly members: FlatDocument }
  | { readonly ok: false; readonly reason: string };

class Unreadable {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

export function parseFlatObject(body: Uint8Array, shape: FlatShape): ParsedDocument {
  const text = decodeUtf8(body);
  if (text === undefined) return { ok: false, reason: 'the document is not valid UTF-8' };
  const parsed = scanObject(text, shape);
  if (parsed instanceof Unreadable) return { ok: false, reason: parsed.reason };
  const missing = Object.keys(shape).filter((name) => shape[name]!.required && !parsed.has(name));
  if (missing.length > 0) return { ok: false, reason: `the document has no member ${quote(missing[0]!)}` };
  return { ok: true, members: parsed };
}

/** The text of UTF-8 bytes, or undefined when they are not well formed. A byte order mark stays, and is then no JSON. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const NOT_JSON = new Unreadable('the document is not one JSON object of plain members');

function scanObject(text: string, shape: FlatShape): Map<string, string | number> | Unreadable {
  const members = new Map<string, string | number>();
  let at = skipBlanks(text, 0);
  if (text[at] !== '{') return NOT_JSON;
  at = skipBlanks(text, at + 1);
  if (text[at] === '}') return skipBlanks(text, at + 1) === text.length ? members : NOT_JSON;
  for (;;) {
    const nameEnd = stringEnd(text, at);
    if (nameEnd === undefined) return NOT_JSON;
    const name = readString(text.slice(at, nameEnd));
    if (name === undefined) return NOT_JSON;
    if (!Object.hasOwn(shape, name)) return new Unreadable(`the member ${quote(name)} is not known here`);
    if (members.has(name)) return new Unreadable(`the member ${quote(name)} is there twice`);
    at = skipBlanks(text, nameEnd);
    if (text[at] !== ':') return NOT_JSON;
    at = skipBlanks(text, at + 1);
    const wanted = shape[name]!.type;
    if (wanted === 'string') {
      const end = stringEnd(text, at);
      if (end === undefined) return new Unreadable(`the member ${quote(name)} must be a string`);
      const value = readString(text.slice(at, end));
      if (value === undefined) return NOT_JSON;
      if (value.includes('\0') || !value.isWellFormed())
        return new Unreadable(`the member ${quote(name)} holds a NUL or half a character`);
      members.set(name, value);
      at = end;
    } else {
      const match = /(?:0|[1-9][0-9]{0,14})(?![0-9.eE])/y;
      match.lastIndex = at;
      const digits = match.exec(text)?.[0];
      if (digits === undefined) return new Unreadable(`the member ${quote(name)} must be a whole number`);
      members.set(name, Number(digits));
      at += digits.length;
    }
    at = skipBlanks(text, at);
    if (text[at] === '}') return skipBlanks(text, at + 1) === text.length ? members : NOT_JSON;
    if (text[at] !== ',') return NOT_JSON;
    at = skipBlanks(text, at + 1);
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
  return at;
}

/** The position behind the string that begins here, or undefined when none does. */
function stringEnd(text: string, from: number): number | undefined {
  if (text[from] !== '"') return undefined;
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

/** The value of one JSON string token; undefined when its escapes or characters are not JSON's. */
function readString(token: string): string | undefined {
  try {
    const value: unknown = JSON.parse(token);
    return typeof value === 'string' ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
