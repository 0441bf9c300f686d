/** How much of a session's traffic may be under way at once. */

/** docs/PROTOCOL.md section 4.2: what a customer may have unanswered. Keeps a round trip of any length filled with payments. */
export const UNANSWERED_MAX = 64;
/** Documents of one session that wait for the ledger, together: four of the largest, hundreds of ordinary ones. */
export const UNANSWERED_BYTES_MAX = 262_144;
/** docs/PROTOCOL.md section 4.2. The next one goes into a new session, with new keys. */
export const TRANSACTIONS_PER_SESSION_MAX = 1_000;
