/** Which part of a session a function's own time belongs to. */

/** In the order in which they are printed. */
export const PARTS = [
  'messages between threads',
  'exponentiation',
  'hashes and key schedule',
  'ML-KEM',
  'signatures: offers, receipts',
  'records (AEAD)',
  'sockets: calls into the system, streams',
  'event loop outside JavaScript: epoll, accept, read',
  'state machines, wire format',
  'connections, desks, ports',
  'identity',
  'SQLite',
  'ledger besides SQLite',
  'timers, promises, events of Node',
  'garbage collection',
  'compiling and collecting beside',
  'the rest',
] as const;

export type PrintedPart = (typeof PARTS)[number];
/** Waiting, which costs nothing. */
export const IDLE = 'idle';
export type Part = PrintedPart | typeof IDLE;
export const OUTSIDE_JAVASCRIPT = 'event loop outside JavaScript: epoll, accept, read' satisfies Part;

/** `caller`: whatever it was called for; at the bottom of the stack `otherwise`. */
type Verdict = { readonly part: Part } | { readonly part: 'caller'; readonly otherwise: Part };

interface Rule {
  readonly url: RegExp;
  readonly name?: RegExp;
  readonly verdict: Verdict;
}

const rule = (url: RegExp, part: Part, name?: RegExp): Rule => ({
  url,
  verdict: { part },
  ...(name === undefined ? {} : { name }),
});
const caller = (url: RegExp, otherwise: Part): Rule => ({ url, verdict: { part: 'caller', otherwise } });

/** The first that fits. WebAssembly has no names, but is called from core-modexp.ts for powers and from core-hash.ts for hashes. */
const RULES: readonly Rule[] = [
  rule(/^$/, IDLE, /^\((idle|root)\)$/),
  rule(/^$/, 'garbage collection', /^\(garbage collector\)$/),
  rule(/^$/, OUTSIDE_JAVASCRIPT, /^\(program\)$/),
  // A crypto thread waits for its next task inside this function.
  rule(/\/piscina\/dist\/worker\.js$/, IDLE, /^atomicsWaitLoop$/),
  rule(/\/node_modules\/piscina\//, 'messages between threads'),
  rule(/^node:(internal\/)?(worker|per_context\/messageport|structured_clone)/, 'messages between threads'),
  rule(/\/src\/pool\//, 'messages between threads'),
  rule(/\/src\/ledger\/(ledger-client|ledger-thread|thread-messages)\.[jt]s$/, 'messages between threads'),
  rule(/^node:internal\/crypto\/kem$/, 'ML-KEM'),
  rule(/^node:internal\/crypto\/sig$/, 'signatures: offers, receipts'),
  rule(/^node:internal\/crypto\/cipher$/, 'records (AEAD)'),
  caller(/^$|^wasm:|^node:internal\/crypto\/|^node:crypto$|\/@assemblyscript\/loader\//, 'the rest'),
  rule(/\/src\/crypto\/(core-modexp|groups|public-value|exponent|kernel)\./, 'exponentiation'),
  rule(/\/src\/crypto\/(core-hash|key-schedule|arrival-keys)\./, 'hashes and key schedule'),
  rule(/\/src\/crypto\/kem\./, 'ML-KEM'),
  rule(
    /\/src\/crypto\/(identity|offer-keys|batch-signature)\.|\/src\/ledger\/receipts\./,
    'signatures: offers, receipts',
  ),
  rule(/\/src\/crypto\/records\.|\/src\/session\/record-channel\./, 'records (AEAD)'),
  caller(/\/src\/crypto\/(core|index|batch-by-group|suite)\./, 'hashes and key schedule'),
  rule(/\/src\/(session|wire)\//, 'state machines, wire format'),
  rule(/\/src\/server\/identity-desk\.|\/src\/ledger\/identity\./, 'identity'),
  rule(/\/src\/(server|ports)\//, 'connections, desks, ports'),
  rule(/\/src\/ledger\/storage\//, 'SQLite'),
  rule(/^node:sqlite$/, 'SQLite'),
  rule(/\/src\/ledger\//, 'ledger besides SQLite'),
  rule(
    /^node:(net|stream|internal\/(streams?\/|stream_base|net|dtrace|tty))/,
    'sockets: calls into the system, streams',
  ),
  caller(/^node:|\/src\/(errors|limits)\./, 'timers, promises, events of Node'),
];

/** `callersPart` is asked only when the function itself does not tell; undefined at the bottom of the stack. */
export function partOf(name: string, url: string, callersPart: () => Part | undefined): Part {
  const found = RULES.find((each) => each.url.test(url) && (each.name?.test(name) ?? true));
  if (found === undefined) return 'the rest';
  const { verdict } = found;
  if (verdict.part !== 'caller') return verdict.part;
  const callers = callersPart();
  return callers === undefined || callers === IDLE ? verdict.otherwise : callers;
}
