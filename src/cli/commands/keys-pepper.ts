/** `sallyport keys pepper`: the keys of the enrolments' digests, which of them is needed by how many, the next one, and the end of an old one. */

import type { Ledger } from '../../ledger/ledger.ts';
import { LIST_PAGE_MAX } from '../../limits.ts';
import { makeNextPepper, pepperVersions, removePepper } from '../../server/state-directory.ts';
import { integerBetween, jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { configOption, type OperatorOptions, stateOption, withOperatorState } from '../operator-state.ts';
import { type Output, UsageError } from '../output.ts';

interface Options extends OperatorOptions {
  readonly next?: true;
  readonly remove?: number;
}

const VERSION_MAX = 999_999_999;

export const registerPepper: Register = (group, invocation) => {
  const pepper = group
    .command('pepper')
    .description('show peppers and how many enrolments need each; make the next; remove one of the past')
    .option('--next', 'make the next pepper, which new enrolments use')
    .option('--remove <version>', 'remove a pepper that no enrolment needs', integerBetween(1, VERSION_MAX))
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  pepper.addHelpText(
    'after',
    `
A pepper is the key of the digests that an enrolment stores, and is kept outside the ledger. A new
one changes no enrolment that is there: "sallyport enroll CUSTOMER --replace" makes one anew, with
the newest pepper. An old pepper stays while an enrolment needs it, of a disabled customer too.`,
  );
  withExamples(pepper, [
    ['sallyport keys pepper', 'which there are, and what needs them'],
    ['sallyport keys pepper --next', 'then reload the server, before the next enrolment'],
    ['sallyport keys pepper --remove 1', 'when nothing needs it any more'],
  ]);
  onAction<Options>(pepper, invocation, async (_args, options, output) => {
    if (options.next && options.remove !== undefined) throw new UsageError('--next and --remove exclude each other');
    const { next, remove } = options;
    const peppers = await withOperatorState(
      options,
      async ({ ledger, directory }) => {
        const uses = (): Promise<Map<number, number>> => countUses(ledger);
        if (next) makeNextPepper(directory, (await uses()).keys());
        if (remove !== undefined) await removePepper(directory, remove, async () => (await uses()).get(remove) ?? 0);
        return peppersOf(directory, await uses());
      },
      { pepperNeeded: false },
    );
    show(peppers, output);
    if (next)
      output.note(
        '\nNext: reload the server (kill -HUP) before the next enrolment: until then it refuses who is enrolled with this pepper.',
      );
    else if (remove !== undefined) output.note('\nNext: reload the server (kill -HUP), so that it forgets it.');
  });
};

/** Enrolments by the version of the pepper that their digests were made with. */
async function countUses(ledger: Ledger): Promise<Map<number, number>> {
  const uses = new Map<number, number>();
  let after: { readonly after?: string } = {};
  for (;;) {
    const page = await ledger.listCustomers({ limit: LIST_PAGE_MAX, ...after });
    for (const { pepperVersion } of page) uses.set(pepperVersion, (uses.get(pepperVersion) ?? 0) + 1);
    if (page.length < LIST_PAGE_MAX) return uses;
    after = { after: page.at(-1)!.id };
  }
}

interface ShownPepper {
  readonly version: number;
  readonly role: 'current' | 'past' | 'missing';
  readonly enrolments: number;
}

function peppersOf(directory: string, uses: ReadonlyMap<number, number>): ShownPepper[] {
  const there = pepperVersions(directory);
  const current = Math.max(...there);
  const versions = [...new Set([...there, ...uses.keys()])].sort((a, b) => a - b);
  return versions.map((version) => {
    const role = version === current ? 'current' : there.includes(version) ? 'past' : 'missing';
    return { version, role, enrolments: uses.get(version) ?? 0 };
  });
}

function show(peppers: readonly ShownPepper[], output: Output): void {
  if (output.json) {
    output.document({ peppers });
    return;
  }
  const colours = { current: 'green', past: undefined, missing: 'red' } as const;
  output.table(
    [
      { title: 'pepper', align: 'right', value: ({ version }) => String(version) },
      { title: 'role', value: ({ role }) => role, format: ({ role }) => colours[role] },
      { title: 'enrolments', align: 'right', value: ({ enrolments }) => String(enrolments) },
    ],
    peppers,
    '',
  );
  for (const { version, role, enrolments } of peppers)
    if (role === 'missing')
      output.warn(
        `pepper.${version} is not there: restore it, or enroll ${enrolments === 1 ? 'its customer' : `its ${enrolments} customers`} anew`,
      );
}
