import { hostKeyFingerprint, rawHostPublicKey } from '../crypto/identity.ts';
import { createFirstPort, type FirstPortMachine } from '../session/first-port.ts';
import type { QuotaLimits } from './admission/quotas.ts';
import { SETTING_NAMES, type ServerConfiguration, type SettingName } from './settings.ts';
import { peppersGone, type StateDirectory } from './state-directory.ts';

/** Settings that a running server takes up; sessions that run keep the deadlines and the policy they began with. */
export const RELOADABLE: readonly SettingName[] = [
  'proxy-protocol-from',
  'advertised-host',
  'groups',
  'kems',
  'aeads',
  'half-open-max',
  'half-open-per-host',
  'half-open-per-network',
  'rate-per-host',
  'burst-per-host',
  'hello-timeout-ms',
  'lease-ms',
  'customer-key-timeout-ms',
  'auth-timeout-ms',
  'idle-timeout-ms',
  'session-timeout-ms',
  'linger-timeout-ms',
  'drain-ms',
  'log-level',
];

/** What a reload changes. */
export interface Live {
  configuration: ServerConfiguration;
  state: StateDirectory;
  firstPortMachine: FirstPortMachine;
}

/** What a reload did. */
export interface ReloadReport {
  readonly changed: readonly SettingName[];
  /** What waits for a restart: settings, and `host key` when another one was taken into use on disk. */
  readonly waiting: readonly (SettingName | 'host key')[];
  /** Fingerprint of the key that is announced from now on. */
  readonly nextHostKey: string | undefined;
  readonly pepperVersion: number;
}

export interface ReloadPlan {
  /** What will be in force: the wanted values where they can change, the present ones elsewhere. */
  readonly configuration: ServerConfiguration;
  readonly changed: readonly SettingName[];
  /** Wanted otherwise, and waiting for a restart. */
  readonly waiting: readonly SettingName[];
}

/** What becomes of a wanted configuration without a restart. */
export function planReload(present: ServerConfiguration, wanted: ServerConfiguration): ReloadPlan {
  const different = SETTING_NAMES.filter((name) => JSON.stringify(present[name]) !== JSON.stringify(wanted[name]));
  const changed = different.filter((name) => RELOADABLE.includes(name));
  return {
    configuration: { ...present, ...Object.fromEntries(changed.map((name) => [name, wanted[name]])) },
    changed,
    waiting: different.filter((name) => !RELOADABLE.includes(name)),
  };
}

/** Puts into `live` what can change; the running server's host key stays. BAD_FILE when the peppers on disk are gone. */
export function applyReload(live: Live, wanted: ServerConfiguration, onDisk: StateDirectory): ReloadReport {
  if (onDisk.pepperVersion === 0) throw peppersGone(onDisk.path);
  const { configuration, changed, waiting } = planReload(live.configuration, wanted);
  const { hostKey, hostPublicKey } = live.state;
  const hostKeyWaits = Buffer.compare(onDisk.hostPublicKey, hostPublicKey) !== 0;
  const next = announcedKey(live.state, onDisk);
  live.firstPortMachine = firstPortMachine(configuration, live.state, onDisk);
  live.configuration = configuration;
  live.state = { ...onDisk, hostKey, hostPublicKey };
  return {
    changed,
    waiting: [...waiting, ...(hostKeyWaits ? (['host key'] as const) : [])],
    nextHostKey: next === undefined ? undefined : hostKeyFingerprint(next),
    pepperVersion: onDisk.pepperVersion,
  };
}

/** With the keys of the running server, and the successor that the state on disk names. */
export function firstPortMachine(
  policy: ServerConfiguration,
  running: StateDirectory,
  onDisk: StateDirectory,
): FirstPortMachine {
  return createFirstPort({ policy, hostKey: running.hostPublicKey, nextHostKey: announcedKey(running, onDisk) });
}

/** A key that was taken into use on disk is still the next one of a server that runs with the one before. */
function announcedKey(running: StateDirectory, onDisk: StateDirectory): Uint8Array | undefined {
  if (Buffer.compare(onDisk.hostPublicKey, running.hostPublicKey) !== 0) return onDisk.hostPublicKey;
  return onDisk.nextHostKey === undefined ? undefined : rawHostPublicKey(onDisk.nextHostKey);
}

export function quotaLimits(configuration: ServerConfiguration): QuotaLimits {
  return {
    halfOpenMax: configuration['half-open-max'],
    halfOpenPerHostMax: configuration['half-open-per-host'],
    halfOpenPerNetworkMax: configuration['half-open-per-network'],
    ratePerHost: configuration['rate-per-host'],
    burstPerHost: configuration['burst-per-host'],
  };
}
