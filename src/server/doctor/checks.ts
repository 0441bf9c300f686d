import type { HostFacts } from './host-facts.ts';

/** What the checks need to know of the configuration. */
export interface PlannedServer {
  readonly firstPort: number;
  /** Second ports; undefined when the system assigns them. */
  readonly secondPorts: readonly [first: number, last: number] | undefined;
  readonly secondPortCount: number;
  readonly backlog: number;
}

/** One line of `sallyport doctor`. */
export interface Finding {
  readonly check: string;
  readonly verdict: 'good' | 'warning' | 'bad';
  /** What was found, with its numbers. */
  readonly found: string;
  /** What to do; empty when there is nothing to do. */
  readonly advice: string;
}

/** Files besides sockets: standard streams, ledger and its log, threads' pipes, the event loop, log files. */
const DESCRIPTORS_BESIDES_SOCKETS = 64;

/** A listener and a connection for each second port at most, and as many first-port connections again at the worst moment. */
export function descriptorsNeeded(planned: PlannedServer): number {
  return 3 * planned.secondPortCount + DESCRIPTORS_BESIDES_SOCKETS;
}

export function checkDescriptors(planned: PlannedServer, facts: HostFacts): Finding {
  const check = 'descriptors';
  const needed = descriptorsNeeded(planned);
  const soft = facts.descriptorsSoft;
  if (soft === undefined)
    return {
      check,
      verdict: 'warning',
      found: 'the limit of open files could not be read',
      advice: `Make sure the process may open ${needed} files.`,
    };
  // Node raises its soft limit to the hard one at start.
  const limit = Math.max(soft, facts.descriptorsHard ?? soft);
  const found = `${limit === Number.POSITIVE_INFINITY ? 'unlimited' : limit} open files allowed, ${needed} needed with every second port in use`;
  if (limit >= needed) return { check, verdict: 'good', found, advice: '' };
  const holds = Math.max(0, Math.floor((limit - DESCRIPTORS_BESIDES_SOCKETS) / 3));
  return {
    check,
    // The server serves as many as it can and tells the rest BUSY; with hardly any it is of no use.
    verdict: holds < planned.secondPortCount / 10 ? 'bad' : 'warning',
    found,
    advice: `About ${holds} sessions at once will find a port and the rest BUSY. Raise the limit (systemd: LimitNOFILE=${needed}; shell: ulimit -n ${needed}), or configure at most ${holds} second ports.`,
  };
}

export function checkEphemeralRange(planned: PlannedServer, facts: HostFacts): Finding {
  const check = 'port range';
  if (planned.secondPorts === undefined)
    return { check, verdict: 'good', found: 'second ports are assigned by the system', advice: '' };
  const [first, last] = planned.secondPorts;
  const range = `second ports ${first}-${last}`;
  if (planned.firstPort >= first && planned.firstPort <= last)
    return {
      check,
      verdict: 'bad',
      found: `${range} contain the first port ${planned.firstPort}`,
      advice: 'Move the first port out of the range.',
    };
  if (first < 1024)
    return {
      check,
      verdict: 'bad',
      found: `${range} begin below 1024`,
      advice: 'Customers refuse second ports below 1024: begin at 1024 or above.',
    };
  const ephemeral = facts.ephemeralPorts;
  if (ephemeral === undefined)
    return {
      check,
      verdict: 'warning',
      found: `${range}; the ephemeral range could not be read`,
      advice: 'Keep second ports out of it: outgoing connections take ports from it.',
    };
  const overlapFirst = Math.max(first, ephemeral[0]);
  const overlapLast = Math.min(last, ephemeral[1]);
  const reserved = facts.reservedPorts.some(([from, to]) => from <= overlapFirst && to >= overlapLast);
  if (overlapFirst > overlapLast || reserved)
    return {
      check,
      verdict: 'good',
      found: `${range} are outside the ephemeral range ${ephemeral[0]}-${ephemeral[1]}${reserved ? ' or reserved in it' : ''}`,
      advice: '',
    };
  return {
    check,
    verdict: 'warning',
    found: `${range} overlap the ephemeral range ${ephemeral[0]}-${ephemeral[1]} by ${overlapLast - overlapFirst + 1}`,
    advice: `Outgoing connections may take those ports. Reserve them: sysctl net.ipv4.ip_local_reserved_ports=${overlapFirst}-${overlapLast}, or move the range below ${ephemeral[0]}.`,
  };
}

export function checkPortsInUse(planned: PlannedServer, facts: HostFacts): Finding {
  const check = 'ports in use';
  const [first, last] = planned.secondPorts ?? [0, -1];
  const taken = [...facts.listeningPorts].filter((port) => port >= first && port <= last).sort((a, b) => a - b);
  if (facts.listeningPorts.has(planned.firstPort))
    return {
      check,
      verdict: 'warning',
      found: `something listens on the first port ${planned.firstPort} already`,
      advice: 'If that is not this server, stop it or choose another first port.',
    };
  if (taken.length === 0)
    return {
      check,
      verdict: 'good',
      found: 'nothing else listens on the first port or in the range of second ports',
      advice: '',
    };
  const shown = taken.slice(0, 5).join(', ');
  return {
    check,
    verdict: 'warning',
    found: `${taken.length} ports of the range are in use: ${shown}${taken.length > 5 ? ', …' : ''}`,
    advice: 'They will be put in quarantine and passed over; move the range if that is not wanted.',
  };
}

export function checkBacklog(planned: PlannedServer, facts: HostFacts): Finding {
  const check = 'backlog';
  const limit = facts.acceptQueueMax;
  if (limit === undefined)
    return { check, verdict: 'warning', found: 'net.core.somaxconn could not be read', advice: '' };
  if (limit >= planned.backlog)
    return {
      check,
      verdict: 'good',
      found: `accept queue of ${planned.backlog}, the system allows ${limit}`,
      advice: '',
    };
  return {
    check,
    verdict: 'warning',
    found: `an accept queue of ${planned.backlog} is asked for and the system allows ${limit}`,
    advice: `Bursts of more than ${limit} customers will wait a second for their SYN to be repeated: sysctl net.core.somaxconn=${planned.backlog}.`,
  };
}

/** A clock that is wrong puts wrong times into receipts. `ledgerTimeUs`: when the newest transaction was committed. */
export function checkClock(nowMs: number, builtMs: number, ledgerTimeUs: bigint | undefined): Finding {
  const check = 'clock';
  const now = new Date(nowMs).toISOString();
  if (nowMs < builtMs)
    return {
      check,
      verdict: 'bad',
      found: `the clock says ${now}, before this version was made`,
      advice: 'Set the clock (chrony, systemd-timesyncd).',
    };
  if (ledgerTimeUs !== undefined && ledgerTimeUs > BigInt(nowMs) * 1_000n)
    return {
      check,
      verdict: 'bad',
      found: `the clock says ${now}, and the newest transaction was committed later`,
      advice: 'Set the clock: until it has caught up, transactions repeat the newest committed time.',
    };
  return { check, verdict: 'good', found: now, advice: '' };
}

/** `mode` is the file's permission bits; secrets are for their owner alone. */
export function checkSecretFile(path: string, mode: number | undefined): Finding {
  const check = 'permissions';
  if (mode === undefined)
    return { check, verdict: 'warning', found: `${path} is not there yet`, advice: 'It is made at the first start.' };
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  if ((mode & 0o077) === 0) return { check, verdict: 'good', found: `${path} has mode ${bits}`, advice: '' };
  return {
    check,
    verdict: 'bad',
    found: `${path} has mode ${bits}: others can read it`,
    advice: `chmod go-rwx ${path}; if others had access, rotate what it holds.`,
  };
}

/** `rejected`: better kernels that this machine does not run, with the reason. */
export function checkKernel(kernel: {
  readonly name: string;
  readonly lanes: number;
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}): Finding {
  const check = 'kernel';
  const found = `${kernel.name}, ${kernel.lanes} ${kernel.lanes === 1 ? 'number' : 'numbers'} a pass`;
  if (kernel.rejected.length === 0)
    return { check, verdict: 'good', found: `${found}; it passed its self-test here`, advice: '' };
  const reasons = kernel.rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  return {
    check,
    verdict: 'warning',
    found: `${found}, because better ones do not run here (${reasons})`,
    advice:
      kernel.name === 'fma'
        ? 'All is right; the setting kernel = "quads" brings nothing here.'
        : 'All is right but slower: a processor with fused multiply-add (x86-64 with FMA3, any arm64) runs the fast kernel.',
  };
}

/** What came of connecting to the address that customers are given. */
export type Reach =
  | { readonly kind: 'loopback' }
  | { readonly kind: 'reached'; readonly by: 'this server' | 'a trial listener' }
  | { readonly kind: 'unresolved' | 'failed'; readonly reason: string }
  | { readonly kind: 'someone-else' };

export function checkReach(address: string, reach: Reach): Finding {
  const check = 'reachability';
  switch (reach.kind) {
    case 'loopback':
      return {
        check,
        verdict: 'warning',
        found: `${address} is loopback: only customers on this machine reach it`,
        advice:
          'For a network, listen with --host 0.0.0.0 (or ::), and name this machine with --advertised-host behind NAT.',
      };
    case 'reached':
      return {
        check,
        verdict: 'good',
        found: `${address} was reached from here (${reach.by} answered)`,
        advice: '',
      };
    case 'someone-else':
      return {
        check,
        verdict: 'bad',
        found: `${address} answers, but it is not this machine's first port that does`,
        advice: 'Correct --advertised-host, or the forwarding of the first port.',
      };
    case 'unresolved':
      return {
        check,
        verdict: 'bad',
        found: `the name in ${address} is not known here: ${reach.reason}`,
        advice: 'Correct --advertised-host, or its DNS record.',
      };
    case 'failed':
      return {
        check,
        verdict: 'warning',
        found: `${address} was not reached from here: ${reach.reason}`,
        advice:
          'Check firewall and port forwarding. Some routers do not lead their own inside back in: then try from outside.',
      };
  }
}
