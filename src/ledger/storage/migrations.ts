/** "SALY" in ASCII: marks a SQLite file as a ledger of this product (PRAGMA application_id). */
export const APPLICATION_ID = 0x53414c59;

/**
 * The schema, as the steps that made it; PRAGMA user_version counts those that were applied. A step is never changed once it was
 * released: a new one is added behind it. docs/LEDGER.md describes the tables.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    time_us INTEGER NOT NULL
  ) STRICT;
  INSERT INTO head VALUES (1, 0, zeroblob(32), 0);

  CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
    kind TEXT NOT NULL CHECK (kind IN ('transaction', 'account', 'customer')),
    time_us INTEGER NOT NULL,
    chain BLOB NOT NULL CHECK (length(chain) = 32)
  ) STRICT;

  CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY REFERENCES journal,
    document TEXT NOT NULL
  ) STRICT;

  CREATE TABLE customers (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    pepper_version INTEGER NOT NULL,
    fields TEXT NOT NULL,
    credential_digest BLOB NOT NULL CHECK (length(credential_digest) = 32),
    created_us INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance_limit INTEGER,
    status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    balance INTEGER NOT NULL,
    opened_us INTEGER NOT NULL,
    CHECK (balance_limit IS NULL OR balance >= balance_limit)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX accounts_by_owner ON accounts (owner, id);

  CREATE TABLE transactions (
    sequence INTEGER PRIMARY KEY REFERENCES journal,
    customer TEXT NOT NULL,
    transaction_id BLOB NOT NULL CHECK (length(transaction_id) = 16),
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    receipt BLOB NOT NULL,
    UNIQUE (customer, transaction_id)
  ) STRICT;

  CREATE TABLE transfers (
    sequence INTEGER NOT NULL REFERENCES transactions,
    position INTEGER NOT NULL,
    debit_account TEXT NOT NULL REFERENCES accounts,
    credit_account TEXT NOT NULL REFERENCES accounts,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    reference TEXT NOT NULL,
    debit_balance INTEGER NOT NULL,
    credit_balance INTEGER NOT NULL,
    PRIMARY KEY (sequence, position),
    CHECK (debit_account <> credit_account)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX transfers_by_debit ON transfers (debit_account, sequence, position);
  CREATE INDEX transfers_by_credit ON transfers (credit_account, sequence, position);
  `,
];
