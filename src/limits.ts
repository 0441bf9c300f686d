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
