/** `sallyport/customer`: the customer program as a library. */

export { hostKeyFingerprint } from '../crypto/identity.ts';
export { ERRORS, type ErrorCode, SallyportError } from '../errors.ts';
export type { AccountBalance, History, HistoryEntry } from './answers.ts';
export { Customer, newTransactionId } from './customer.ts';
export { createCustomerFile, readCustomerFile } from './customer-file.ts';
export { type CustomerIdentity, type CustomerPolicy, DEFAULT_POLICY } from './customer-identity.ts';
export type {
  CustomerEvents,
  CustomerOptions,
  Document,
  HistoryPage,
  Payment,
  PaymentSettlement,
  RetryNotice,
  Settlement,
} from './customer-interface.ts';
export type { CustomerStep } from './customer-session.ts';
export {
  type ReceiptCheck,
  type ReceiptEvidence,
  type ReceiptVerification,
  readReceiptFile,
  verifyReceipt,
  writeReceiptFile,
} from './receipt-file.ts';
export type { Transfer } from './transfer.ts';
