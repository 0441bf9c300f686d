import { readdirSync } from 'node:fs';
import { Stage } from './stage.ts';

/** A server in a process of its own with more second ports than it may open files; its first customer and gauges go to the parent. */

const stage = await Stage.open({
  'second-ports': { kind: 'system', count: 300 },
  threads: 1,
  'hello-timeout-ms': Number(process.argv[2] ?? 3_000),
});
const { credential, profile } = await stage.enroll('alice', 100_00n);
await stage.enroll('bob');
// Counting descriptors takes one: with none left only the gauges can be told.
process.on('message', (asked) => {
  process.send?.(
    asked === 'descriptors' ? { descriptors: readdirSync('/proc/self/fd').length } : { gauges: stage.server.gauges },
  );
});
process.once('disconnect', () => void stage[Symbol.asyncDispose]());
process.send?.({
  port: stage.server.address.port,
  hostKey: Buffer.from(stage.server.state.hostPublicKey).toString('hex'),
  credential: Buffer.from(credential).toString('hex'),
  profile,
});
