/** Times as people and programs read them. */

/** ECMA-262 §21.4.1.1: a Date reaches 8.64e15 ms from 1970. */
const DATE_MS_MAX = 8_640_000_000_000_000n;

/** Microseconds since 1970 as an RFC 3339 time in UTC; beyond what a date can say, the number itself. */
export function isoTimeOfUs(timeUs: bigint): string {
  const milliseconds = timeUs / 1_000n;
  if (milliseconds > DATE_MS_MAX) return `${timeUs} µs`;
  return new Date(Number(milliseconds)).toISOString().replace('Z', `${(timeUs % 1_000n).toString().padStart(3, '0')}Z`);
}
