/** Every named limit of the product that is not configuration, each with a line saying how it was chosen. Units last. */

// Identifiers.
/** Long enough for any readable name, short enough that a record never grows by it. */
export const CUSTOMER_ID_BYTES_MAX = 64;
export const ACCOUNT_ID_BYTES_MAX = 64;
/** A UUID's worth of entropy: chosen by the customer, unique within the customer. */
export const TRANSACTION_ID_BYTES = 16;

// Profile.
/** A profile is a handful of facts; the cap keeps AUTH within one record and verification's work bounded. */
export const PROFILE_FIELDS_MAX = 16;
export const PROFILE_TAG_BYTES_MAX = 32;
export const PROFILE_VALUE_BYTES_MAX = 256;
/** 256 bits from the operating system: cannot be guessed, so the profile's entropy need not carry the proof. */
export const CREDENTIAL_BYTES = 32;

// Transactions.
/** The document: 60 KiB leaves room for id, type and padding under the 64 KiB of a u16 length (docs/PROTOCOL.md). */
export const TRANSACTION_BODY_BYTES_MAX = 61_440;
export const CONTENT_TYPE_BYTES_MAX = 128;
/** The processor's answer inside a receipt: as large as a document may be, less the receipt's own fields. */
export const RECEIPT_RESULT_BYTES_MAX = 60_000;
/** One document may carry many instructions; the cap bounds one commit's work to a few milliseconds. */
export const TRANSFERS_PER_TRANSACTION_MAX = 1_000;
/** Free text that travels with a transfer. */
export const TRANSFER_REFERENCE_BYTES_MAX = 140;

// Signatures.
/** Hashes between a message and the root that its host key signed: 65,536 messages under one signature, more than any batch has. */
export const BATCH_LEVELS_MAX = 16;

// Ledger.
/** One commit: large enough that the disk's flush is shared by hundreds of payments, small enough to take tens of milliseconds. */
export const LEDGER_BATCH_TRANSACTIONS_MAX = 512;
/** Documents of one commit: bounds the memory of a batch whatever the documents' size. */
export const LEDGER_BATCH_BYTES_MAX = 8 * 1024 * 1024;
/** Transactions waiting for the ledger: a few seconds of work at full speed; beyond it BUSY is the honest answer. */
export const LEDGER_QUEUE_TRANSACTIONS_MAX = 16_384;
/** Documents waiting for the ledger, together. */
export const LEDGER_QUEUE_BYTES_MAX = 128 * 1024 * 1024;
/** Reads (identities, balances, history pages) waiting for the ledger. */
export const LEDGER_QUEUE_READS_MAX = 16_384;
/** How often one batch is computed anew because another writer was faster: only an operator's command line competes with a server. */
export const LEDGER_COMMIT_ATTEMPTS_MAX = 32;
/** How long a writer waits for another one's lock, in milliseconds: far above any commit, below a customer's patience. */
export const LEDGER_LOCK_WAIT_MS = 5_000;
/** The ledger's thread is started again after a delay that doubles from the first to the second of these, in milliseconds. */
export const LEDGER_RESTART_DELAY_MS_MIN = 100;
export const LEDGER_RESTART_DELAY_MS_MAX = 5_000;
/** A batch that takes longer is stuck (in a processor's endless loop): its thread is ended and started again. In milliseconds. */
export const LEDGER_STALL_MS = 30_000;
/** What a BUSY of the ledger asks a customer to wait, in milliseconds: about the time a full queue takes to drain by half. */
export const LEDGER_BUSY_RETRY_MS = 1_000;
/** Keeps the document of a customer's balances far below one answer. */
export const ACCOUNTS_PER_CUSTOMER_MAX = 100;
/** Entries of one page of history (docs/PROTOCOL.md section 10). */
export const HISTORY_PAGE_MAX = 100;
/** Customers or accounts of one page of a list. */
export const LIST_PAGE_MAX = 1_000;
/** The sentence of a refusal (docs/PROTOCOL.md, REFUSAL), in bytes of UTF-8. */
export const REFUSAL_TEXT_BYTES_MAX = 512;
