/**
 * A security server inside a program of your own: starts, enrolls one customer, opens an account, and serves until it is interrupted.
 *
 *   node examples/server.ts STATE-DIRECTORY [FIRST-PORT]
 *
 * In another project the import is `sallyport/server`.
 */

import { SallyportError, SecurityServer } from '../src/server/index.ts';

const [state, firstPort] = process.argv.slice(2);
if (!state) {
  console.error('usage: node examples/server.ts STATE-DIRECTORY [FIRST-PORT]');
  process.exit(2);
}

try {
  const server = await SecurityServer.start({
    configuration: { state, 'first-port': Number(firstPort ?? 7919), 'second-ports': { kind: 'system', count: 256 } },
  });
  console.log(`serving on ${server.address.host}:${server.address.port}, host key ${server.fingerprint}`);

  // Every step of the method, as it happens; public values only.
  server.on('step', ({ session, step }) => console.log(session?.slice(0, 8) ?? '-', step));
  server.on('session-end', ({ customer, reason, transactions }) =>
    console.log(`${customer ?? 'nobody'}: ${reason}, ${transactions} transactions`),
  );

  process.once('SIGINT', async () => {
    await server.stop({ drainMs: 5_000 });
    console.log('stopped');
  });
} catch (error) {
  if (!(error instanceof SallyportError)) throw error;
  console.error(`${error.code}: ${error.message}\n${error.advice}`);
  process.exitCode = 1;
}
