import { XMLParser } from 'fast-xml-parser';

/**
 * Reads XML of a bank's kind and no other: elements, attributes and text in UTF-8. Refused before the parser sees them: document types,
 * entities beyond XML's five, character references, processing instructions, comments, CDATA, and documents that are deep, large or
 * unbalanced. So nothing expands, nothing is fetched, and a text has one reading.
 */

/** pain.001 nests twelve deep. */
const DEPTH_MAX = 32;
/** A transaction's body is 60 KiB, and the shortest element takes four bytes. */
const ELEMENTS_MAX = 16_384;

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&quot;', '"'],
  ['&apos;', "'"],
]);

/** Says in a sentence why a document is refused. */
export class DocumentError extends Error {}

/** An element: its child elements by name in document order, its attributes as `@name`, its text as `#text`. */
export interface XmlElement {
  readonly [name: string]: XmlValue | readonly XmlValue[];
}
export type XmlValue = string | XmlElement;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  trimValues: true,
});

/** The document's root element by its name. Throws DocumentError. */
export function parseStrictXml(bytes: Uint8Array): XmlElement {
  const text = decode(bytes).replace(
    /^<\?xml version=(["'])1\.0\1(?: encoding=(["'])(?:UTF|utf)-8\2)?(?: standalone=(["'])(?:yes|no)\3)?\s*\?>/,
    '',
  );
  refuseDangers(text);
  refuseUnbalanced(text);
  try {
    return parser.parse(text) as XmlElement;
  } catch (error) {
    // Such as names that JavaScript's objects use themselves, which the parser refuses.
    throw new DocumentError(`The document is not readable: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new DocumentError('The document is not valid UTF-8.');
    throw error;
  }
}

function refuseDangers(text: string): void {
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x20 && code !== 9 && code !== 10 && code !== 13)
      throw new DocumentError('The document holds a control character.');
  }
  if (text.includes('<?'))
    throw new DocumentError('Processing instructions are not accepted, nor encodings other than UTF-8.');
  if (text.includes('<!'))
    throw new DocumentError('Document types, entity declarations, comments and CDATA are not accepted.');
  for (const match of text.matchAll(/&[^;]{0,8};?/g))
    if (!ENTITIES.has(match[0]))
      throw new DocumentError('Only the entities &amp; &lt; &gt; &quot; and &apos; are accepted.');
}

const TAG = /<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z_][A-Za-z0-9_.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;

/** Every `<` begins a tag, every element is closed by its own name, and there is one root with nothing around it. */
function refuseUnbalanced(text: string): void {
  const open: string[] = [];
  let elements = 0;
  let at = 0;
  for (;;) {
    const next = text.indexOf('<', at);
    const between = text.slice(at, next === -1 ? text.length : next);
    if (open.length === 0 && between.trim() !== '') throw new DocumentError('There is text outside the root element.');
    if (next === -1) break;
    TAG.lastIndex = next;
    const match = TAG.exec(text);
    if (match === null) throw new DocumentError(`The document is not well-formed at character ${next}.`);
    at = TAG.lastIndex;
    const [, closing, name, attributes, empty] = match as unknown as [string, string, string, string, string];
    if (closing === '/') {
      if (open.pop() !== name || attributes !== '' || empty === '/')
        throw new DocumentError(`The element ${name} is closed where another one is open.`);
      continue;
    }
    if (open.length === 0 && elements > 0) throw new DocumentError('The document has more than one root element.');
    elements += 1;
    if (elements > ELEMENTS_MAX) throw new DocumentError(`The document has more than ${ELEMENTS_MAX} elements.`);
    const names = [...attributes.matchAll(/([A-Za-z_][A-Za-z0-9_.:-]*)\s*=\s*(?:"[^"]*"|'[^']*')/g)].map(
      (found) => found[1],
    );
    if (new Set(names).size !== names.length) throw new DocumentError(`The element ${name} has an attribute twice.`);
    if (empty === '') open.push(name);
    if (open.length > DEPTH_MAX) throw new DocumentError(`The document nests deeper than ${DEPTH_MAX} elements.`);
  }
  if (elements === 0) throw new DocumentError('The document has no root element.');
  if (open.length > 0) throw new DocumentError(`The element ${open.at(-1)} is not closed.`);
}

/** The one child element of this name. Throws DocumentError when there is none or more than one. */
export function child(element: XmlElement, name: string, path: string): XmlElement {
  const value = only(element, name, path);
  if (typeof value === 'object') return value;
  throw new DocumentError(`${path}/${name} is missing or has no elements.`);
}

/** All child elements of this name, in order. */
export function children(element: XmlElement, name: string, path: string): XmlElement[] {
  const value = Object.hasOwn(element, name) ? element[name] : [];
  const list = Array.isArray(value) ? (value as readonly XmlValue[]) : [value as XmlValue];
  return list.map((item) => {
    if (typeof item === 'object') return item;
    throw new DocumentError(`${path}/${name} has no elements.`);
  });
}

/** The text of the one child of this name, undefined when there is none. */
export function optionalText(element: XmlElement, name: string, path: string, lengthMax: number): string | undefined {
  const value = only(element, name, path);
  if (value === undefined) return undefined;
  return textOf(value, `${path}/${name}`, lengthMax);
}

/** The text of the one child of this name. */
export function text(element: XmlElement, name: string, path: string, lengthMax: number): string {
  const value = optionalText(element, name, path, lengthMax);
  if (value === undefined) throw new DocumentError(`${path}/${name} is missing.`);
  return value;
}

/** The text of an element that may carry attributes: not empty, at most `lengthMax` characters. */
export function textOf(value: XmlValue, path: string, lengthMax: number): string {
  const raw = typeof value === 'string' ? value : value['#text'];
  if (typeof raw !== 'string' || raw === '') throw new DocumentError(`${path} is empty or holds elements.`);
  if (typeof value === 'object' && Object.keys(value).some((key) => key !== '#text' && !key.startsWith('@')))
    throw new DocumentError(`${path} holds elements beside its text.`);
  const decoded = raw.replace(/&[a-z]+;/g, (entity) => ENTITIES.get(entity)!);
  if ([...decoded].length > lengthMax) throw new DocumentError(`${path} is longer than ${lengthMax} characters.`);
  return decoded;
}

export function only(element: XmlElement, name: string, path: string): XmlValue | undefined {
  if (!Object.hasOwn(element, name)) return undefined;
  const value = element[name];
  if (Array.isArray(value)) throw new DocumentError(`${path}/${name} is there more than once.`);
  return value as XmlValue;
}

/** Text as it stands between tags. */
export function escapeXml(value: string): string {
  return value.replace(/[&<>"']/g, (character) => {
    for (const [entity, decoded] of ENTITIES) if (decoded === character) return entity;
    return character;
  });
}
