/** `sallyport/server`: the security server as a library. */

export { SallyportError } from '../errors.ts';
export { resolveConfiguration } from './configuration.ts';
export {
  type EndedSession,
  SecurityServer,
  type SecurityServerEvents,
  type SecurityServerGauges,
  type SecurityServerOptions,
  type ServerStep,
} from './security-server.ts';
export type { ServerConfiguration } from './settings.ts';
