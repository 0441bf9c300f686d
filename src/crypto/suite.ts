/** What the two sides agree on for one session, by name; the numbers on the wire are IANA's or docs/PROTOCOL.md's. */

import { GROUPS, type GroupName, groupOfId } from './groups.ts';

export const KEM_IDS = { 'ML-KEM-768': 0x0201, none: 0x0000 } as const;
export type KemName = keyof typeof KEM_IDS;

/** IANA AEAD algorithm numbers. */
export const AEAD_IDS = { 'AES-256-GCM': 0x0002, 'ChaCha20-Poly1305': 0x001d } as const;
export type AeadName = keyof typeof AEAD_IDS;

export interface Suite {
  readonly group: GroupName;
  readonly kem: KemName;
  readonly aead: AeadName;
}

/** What one side accepts, most wanted first. */
export interface SuitePolicy {
  readonly groups: readonly GroupName[];
  readonly kems: readonly KemName[];
  readonly aeads: readonly AeadName[];
}

/** docs/PROTOCOL.md section 3.1: the default of both sides comes first. */
export const DEFAULT_SUITE_POLICY: SuitePolicy = {
  groups: ['ffdhe3072', 'ffdhe4096'],
  kems: ['ML-KEM-768'],
  aeads: ['AES-256-GCM', 'ChaCha20-Poly1305'],
};

export function groupId(name: GroupName): number {
  return GROUPS[name].id;
}

export function groupNameOfId(id: number): GroupName | undefined {
  return groupOfId(id)?.name;
}

export function kemNameOfId(id: number): KemName | undefined {
  return nameOfId(KEM_IDS, id);
}

export function aeadNameOfId(id: number): AeadName | undefined {
  return nameOfId(AEAD_IDS, id);
}

function nameOfId<Name extends string>(ids: Readonly<Record<Name, number>>, id: number): Name | undefined {
  return (Object.keys(ids) as Name[]).find((name) => ids[name] === id);
}
