/** The encrypted records of one session as one side has them. */

import type { SessionKeys } from '../crypto/key-schedule.ts';
import type { AeadName } from '../crypto/suite.ts';

/** Secret: wiped by the state machine at the end of the session. */
export interface RecordChannel {
  readonly aead: AeadName;
  readonly keys: SessionKeys;
  readonly sent: RecordCount;
  readonly received: RecordCount;
}

/** Of one direction. */
export interface RecordCount {
  /** Records so far: the sequence number of the next one. */
  readonly records: number;
  /** Bytes of RECORD frames so far, headers included. */
  readonly bytes: number;
}
