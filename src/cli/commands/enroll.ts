/** `sallyport enroll`: makes a customer, and the one file that its customer program needs. */

import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { authOf } from '../../customer/customer-identity.ts';
import { type CustomerIdentity, createCustomerFile, DEFAULT_POLICY, hostKeyFingerprint } from '../../customer/index.ts';
import { digestIdentity } from '../../ledger/identity.ts';
import { CREDENTIAL_BYTES, PROFILE_FIELDS_MAX, PROFILE_TAG_BYTES_MAX, PROFILE_VALUE_BYTES_MAX } from '../../limits.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { nextCommand } from '../next-command.ts';
import { configOption, type OperatorOptions, stateOption, withOperatorState } from '../operator-state.ts';
import { UsageError } from '../output.ts';

type Profile = Readonly<Record<string, string>>;

interface Options extends OperatorOptions {
  readonly profile?: Profile;
  readonly file?: string;
  readonly server?: { readonly host: string; readonly port: number };
  readonly trust: 'pinned' | 'tofu';
  readonly replace?: true;
}

export const registerEnroll: Register = (parent, invocation) => {
  const enroll = parent
    .command('enroll')
    .description('make a customer and write its customer file: credential, address and pinned host key')
    .argument('<customer>', 'its id: lower-case letters, digits, dot, hyphen and underscore')
    .option('--profile <tag=value>', 'a fact that identifies the customer; may be given 16 times', addProfileField)
    .option('--file <file>', 'where to write the customer file (default: CUSTOMER.json)')
    .option('--server <host:port>', 'the first port as this customer reaches it (default: as configured)', parseServer)
    .option(
      '--trust <mode>',
      'pinned, or tofu: the host key is confirmed by a person on first use',
      parseTrust,
      'pinned',
    )
    .option('--replace', 'enroll a customer anew, who keeps accounts and history; the old customer file is void')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(enroll, [
    [
      'sallyport enroll alice --profile email=alice@example.com --profile born=1990-01-31',
      'writes alice.json, mode 0600',
    ],
    ['sallyport enroll alice --replace --profile email=alice@example.com --file alice-2.json', 'her file was lost'],
    ['sallyport enroll bob --server bank.example.com:7919 --file /secure/bob.json', 'a customer elsewhere'],
  ]);
  onAction<Options>(enroll, invocation, async ([customerId], options, output) => {
    const { profile = {} } = options;
    const path = options.file ?? `${customerId}.json`;
    const enrolled = await withOperatorState(options, async (state) => {
      const server = options.server ?? state.firstPort;
      const { advertisedHost } = state;
      // Reached by one name and led to another: the customer refuses a host that its file does not name.
      const secondHosts = advertisedHost === undefined || advertisedHost === server.host ? [] : [advertisedHost];
      const identity: CustomerIdentity = {
        customerId: customerId!,
        profile,
        credential: new Uint8Array(randomBytes(CREDENTIAL_BYTES)),
        server,
        ...(options.trust === 'pinned' ? { hostKey: state.hostKey, nextHostKey: state.nextHostKey } : {}),
        policy: { ...DEFAULT_POLICY, trust: options.trust, secondHosts },
      };
      // The file first: a customer without its file could never use its credential, a file without its customer only needs deleting.
      await createCustomerFile(path, identity);
      try {
        const presented = authOf(identity);
        const digests = digestIdentity(state.peppers, presented);
        presented.credential.fill(0);
        const record = { id: customerId!, ...digests };
        await (options.replace ? state.ledger.reenroll(record) : state.ledger.enroll(record));
      } catch (error) {
        await unlink(path);
        throw error;
      } finally {
        identity.credential.fill(0);
      }
      return { server: identity.server, hostKey: state.hostKey };
    });
    const { host, port } = enrolled.server;
    if (output.json) {
      output.document({
        customer: customerId,
        file: path,
        server: { host, port },
        trust: options.trust,
        hostKey: Buffer.from(enrolled.hostKey).toString('hex'),
        profile: Object.keys(profile).sort(),
      });
      return;
    }
    output.line(`${output.style('green', '✓')} enrolled ${customerId}${options.replace ? ' anew' : ''}`);
    output.pairs([
      ['  customer file', `${path}  (mode 0600; give it to the customer by a safe way, and keep no copy)`],
      ['  server', `${host}:${port}`],
      [
        '  host key',
        options.trust === 'pinned' ? hostKeyFingerprint(enrolled.hostKey) : 'confirmed by the customer on first use',
      ],
    ]);
    if (options.replace) return;
    const account = ['accounts', 'open', `${customerId}.eur`, '--owner', customerId!, '--currency', 'EUR'];
    output.note(`\nNext: ${nextCommand(account, { state: options.state, config: options.config })}`);
  });
};

function addProfileField(text: string, previous: Profile = {}): Profile {
  const at = text.indexOf('=');
  const tag = text.slice(0, Math.max(at, 0));
  const value = text.slice(at + 1);
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(tag) || tag.length > PROFILE_TAG_BYTES_MAX) {
    throw new InvalidArgumentError(
      'It must be tag=value, the tag in lower-case letters, digits, hyphen and underscore.',
    );
  }
  if (Object.hasOwn(previous, tag)) throw new InvalidArgumentError(`The tag ${tag} was given already.`);
  if (Buffer.byteLength(value) > PROFILE_VALUE_BYTES_MAX) {
    throw new InvalidArgumentError(`A value has at most ${PROFILE_VALUE_BYTES_MAX} bytes.`);
  }
  if (Object.keys(previous).length >= PROFILE_FIELDS_MAX) {
    throw new InvalidArgumentError(`A profile has at most ${PROFILE_FIELDS_MAX} fields.`);
  }
  return { ...previous, [tag]: value };
}

/** host:port; an IPv6 address stands in brackets. */
function parseServer(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('It must be host:port, such as bank.example.com:7919 or [::1]:7919.');
  }
  return { host: (match[1] ?? match[2])!, port };
}

function parseTrust(text: string): 'pinned' | 'tofu' {
  if (text === 'pinned' || text === 'tofu') return text;
  throw new UsageError(`--trust ${text} is not a mode of trust`, 'It is pinned or tofu.');
}
