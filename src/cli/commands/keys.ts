/** `sallyport keys`: the server's host key, and how it is changed without a customer noticing; and its peppers (keys-pepper.ts). */

import { hostKeyFingerprint, hostKeyId, rawHostPublicKey } from '../../crypto/identity.ts';
import { adoptNextHostKey, announceNextHostKey, cancelNextHostKey } from '../../server/state-directory.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { configOption, type OperatorOptions, openOperatorDirectory, stateOption } from '../operator-state.ts';
import { type Output, UsageError } from '../output.ts';
import { registerPepper } from './keys-pepper.ts';

interface RotateOptions extends OperatorOptions {
  readonly complete?: true;
  readonly cancel?: true;
}

export const registerKeys: Register = (parent, invocation) => {
  const group = parent.command('keys').description("show and change the server's host key and peppers");

  const show = group
    .command('show')
    .description('show host key, announced successor, and keys of the past')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(show, [['sallyport keys show', 'the fingerprint that a customer compares']]);
  onAction<OperatorOptions>(show, invocation, async (_args, options, output) => {
    const { directory } = openOperatorDirectory(options);
    const { hostPublicKey, nextHostKey, retiredHostKeys } = directory;
    showKeys(
      [
        { role: 'current', key: hostPublicKey },
        ...(nextHostKey === undefined ? [] : [{ role: 'next', key: rawHostPublicKey(nextHostKey) }]),
        ...retiredHostKeys.toReversed().map((key) => ({ role: 'retired', key })),
      ],
      output,
    );
  });

  const rotate = group
    .command('rotate')
    .description('announce the next host key; later, with --complete, take it into use')
    .option('--complete', 'take the announced key into use, and retire the one before it')
    .option('--cancel', 'forget the announced key')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  rotate.addHelpText(
    'after',
    `
A rotation has two steps, so that no customer has to be told. First the server announces the next
key in every signed offer, and customers remember it; when all of them were there, --complete takes
it into use. Customers that never saw the announcement refuse the new key (HOST_KEY_MISMATCH) until
they are enrolled anew.

A running server takes the announcement up at a reload (SIGHUP), and the completed change at a
restart or handover (SIGUSR2).`,
  );
  withExamples(rotate, [
    ['sallyport keys rotate', 'announce'],
    ['sallyport keys rotate --complete', 'some weeks later'],
  ]);
  onAction<RotateOptions>(rotate, invocation, async (_args, options, output) => {
    if (options.complete && options.cancel) throw new UsageError('--complete and --cancel exclude each other');
    const { directory } = openOperatorDirectory(options);
    if (options.cancel) {
      cancelNextHostKey(directory.path);
      if (output.json) output.document({ cancelled: true });
      else output.line(`${output.style('green', '✓')} the announced key is forgotten`);
    } else if (options.complete) {
      const { current, retired } = adoptNextHostKey(directory.path);
      showKeys(
        [
          { role: 'current', key: current },
          { role: 'retired', key: retired },
        ],
        output,
      );
    } else {
      const next = announceNextHostKey(directory.path);
      showKeys(
        [
          { role: 'current', key: directory.hostPublicKey },
          { role: 'next', key: next },
        ],
        output,
      );
    }
    output.note(
      options.complete
        ? '\nNext: restart the server, or let it hand over (kill -USR2), so that it signs with this key.'
        : '\nNext: reload the server (kill -HUP), so that it takes this up.',
    );
  });
  registerPepper(group, invocation);
};

interface ShownKey {
  readonly role: string;
  readonly key: Uint8Array;
}

function showKeys(keys: readonly ShownKey[], output: Output): void {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  if (output.json) {
    output.document({
      keys: keys.map(({ role, key }) => ({
        role,
        fingerprint: hostKeyFingerprint(key),
        keyId: hex(hostKeyId(key)),
        publicKey: hex(key),
      })),
    });
    return;
  }
  output.table(
    [
      {
        title: 'host key',
        value: ({ role }) => role,
        format: ({ role }) => (role === 'current' ? 'green' : undefined),
      },
      { title: 'fingerprint', value: ({ key }) => hostKeyFingerprint(key) },
      { title: 'key id in receipts', value: ({ key }) => hex(hostKeyId(key)) },
    ],
    keys,
    '',
  );
}
