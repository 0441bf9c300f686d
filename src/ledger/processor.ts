import type { TransferOutcome, TransferRequest } from './transfers.ts';

/** What a processor knows of a transaction besides its document. */
export interface ProcessorContext {
  readonly customerId: string;
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
}

/** The document was not understood. Nothing is stored; the customer gets TRANSACTION_MALFORMED with the sentence. */
export interface MalformedPlan {
  readonly kind: 'malformed';
  /** One sentence for the customer: what is wrong, where, and what would be right. At most 512 bytes are sent. */
  readonly reason: string;
}

/** The document was understood: these transfers are to be tried, in this order. None at all is allowed: then only a receipt is made. */
export interface TransferPlan {
  readonly kind: 'transfers';
  readonly transfers: readonly TransferRequest[];
  /** All or nothing. */
  readonly atomic: boolean;
  /** Whatever the processor wants to find again in `answer`, such as the customer's own numbers of the instructions. */
  readonly memo?: unknown;
}

export type Plan = MalformedPlan | TransferPlan;

/** What goes into the signed receipt. */
export interface ProcessorAnswer {
  /** 1 to 128 bytes of printable ASCII. */
  readonly contentType: string;
  /** At most 60,000 bytes. */
  readonly body: Uint8Array;
}

/**
 * Turns the documents of one content type into transfers. Both functions are pure and deterministic: no clock, no I/O, no state. The
 * ledger may call them more than once for one transaction (a commit that met another writer is tried again), and calls nothing of a
 * processor whose transaction is already stored. docs/PROCESSORS.md has a complete example.
 *
 * A function that throws, or an answer beyond its limits, is the processor's failure: the customer gets INTERNAL, nothing is stored,
 * the cause is reported to the operator, and the same transaction can be sent again once the processor is repaired.
 */
export interface Processor {
  /** For example `application/vnd.sallyport.transfer+json`. Compared byte for byte. */
  readonly contentType: string;
  plan(body: Uint8Array, context: ProcessorContext): Plan;
  /** Called after the transfers were judged, before the commit; `outcomes` has one for each transfer of the plan, in order. */
  answer(plan: TransferPlan, outcomes: readonly TransferOutcome[]): ProcessorAnswer;
}
