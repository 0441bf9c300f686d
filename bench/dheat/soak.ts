/** `node bench/dheat/soak.ts [--seconds 60]`: the soak of the tests for longer; tells heap, descriptors and leases as they went. */

import { parseArgs } from 'node:util';
import { Arena } from '../../test/hostile/arena.ts';
import { soak } from '../../test/hostile/soak.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const arena = await Arena.open();
try {
  await soak(arena, 3, 1);
  for (const { heapBytes, externalBytes, descriptors, leased, sessions } of await soak(
    arena,
    Number(values.seconds),
    10,
  )) {
    const [heap, external] = [heapBytes, externalBytes].map((bytes) => (bytes / 2 ** 20).toFixed(2));
    console.log(
      `${String(sessions).padStart(6)} sessions  heap ${heap} MiB  external ${external} MiB  ${descriptors} descriptors  ${leased} leased`,
    );
  }
} finally {
  await arena[Symbol.asyncDispose]();
}
