/** Jobs of mixed groups, as batches of one group each: what the kernel takes. */

import type { GroupName } from './groups.ts';

/** Runs `perform` once for each group among the jobs; results in the order of the jobs. */
export function byGroup<Job extends { readonly group: GroupName }, Result>(
  jobs: readonly Job[],
  perform: (group: GroupName, indices: readonly number[]) => readonly Result[],
): Result[] {
  const indicesOf = Map.groupBy(
    jobs.map((_, index) => index),
    (index) => jobs[index]!.group,
  );
  const results: Result[] = [];
  for (const [group, indices] of indicesOf) {
    const part = perform(group, indices);
    indices.forEach((index, at) => {
      results[index] = part[at]!;
    });
  }
  return results;
}
