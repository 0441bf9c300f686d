/** Who chooses what: the server by its own preference among what both accept; the customer by refusing what it did not offer. */

import {
  AEAD_IDS,
  aeadNameOfId,
  groupId,
  groupNameOfId,
  KEM_IDS,
  kemNameOfId,
  type Suite,
  type SuitePolicy,
} from '../crypto/suite.ts';
import { PROTOCOL_VERSION } from '../wire/frame.ts';
import type { Hello } from '../wire/hello.ts';
import type { Offer } from '../wire/offer.ts';

type OfferedLists = Pick<Hello, 'versions' | 'groups' | 'kems' | 'aeads'>;

/** What a customer with this policy writes into its HELLO. */
export function offeredLists(policy: SuitePolicy): OfferedLists {
  return {
    versions: [PROTOCOL_VERSION],
    groups: policy.groups.map(groupId),
    kems: policy.kems.map((name) => KEM_IDS[name]),
    aeads: policy.aeads.map((name) => AEAD_IDS[name]),
  };
}

/** The server's choice; undefined when any one list holds nothing in common. */
export function chooseSuite(policy: SuitePolicy, hello: OfferedLists): Suite | undefined {
  if (!hello.versions.includes(PROTOCOL_VERSION)) return undefined;
  const group = policy.groups.find((name) => hello.groups.includes(groupId(name)));
  const kem = policy.kems.find((name) => hello.kems.includes(KEM_IDS[name]));
  const aead = policy.aeads.find((name) => hello.aeads.includes(AEAD_IDS[name]));
  if (group === undefined || kem === undefined || aead === undefined) return undefined;
  return { group, kem, aead };
}

/** What the server chose, when each of it is among what the customer offered; undefined: a downgrade. */
export function acceptedSuite(
  policy: SuitePolicy,
  offer: Pick<Offer, 'version' | 'group' | 'kem' | 'aead'>,
): Suite | undefined {
  const group = groupNameOfId(offer.group);
  const kem = kemNameOfId(offer.kem);
  const aead = aeadNameOfId(offer.aead);
  if (offer.version !== PROTOCOL_VERSION || group === undefined || kem === undefined || aead === undefined)
    return undefined;
  const offered = policy.groups.includes(group) && policy.kems.includes(kem) && policy.aeads.includes(aead);
  return offered ? { group, kem, aead } : undefined;
}
