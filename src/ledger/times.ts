/** RFC 3339 in UTC with microseconds, such as `2026-01-31T12:00:00.000000Z`. */
export function formatTimeUs(timeUs: bigint): string {
  const milliseconds = new Date(Number(timeUs / 1000n)).toISOString().slice(0, -1);
  return `${milliseconds}${(timeUs % 1000n).toString().padStart(3, '0')}Z`;
}
