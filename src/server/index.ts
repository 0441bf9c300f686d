/** `sallyport/server`: the security server as a library. */

export { SallyportError } from '../errors.ts';
export { formatAmount, parseAmount } from '../ledger/amounts.ts';
export { digestIdentity, type PresentedIdentity } from '../ledger/identity.ts';
export type { Plan, Processor, ProcessorAnswer, ProcessorContext, TransferPlan } from '../ledger/processor.ts';
export type { LedgerService } from '../ledger/service.ts';
export type { TransferOutcome, TransferRequest } from '../ledger/transfers.ts';
export { resolveConfiguration } from './configuration.ts';
export { SecurityServer } from './security-server.ts';
export type {
  EndedSession,
  SecurityServerEvents,
  SecurityServerGauges,
  SecurityServerOptions,
  ServerStep,
} from './security-server-interface.ts';
export type { ServerConfiguration } from './settings.ts';
