/** A decoder with a bug behind five checks, each of which must be passed to come to the next: chance alone does not find it. */
export function plantedDecoder(input: Uint8Array): number {
  if (input.length < 8) return 0;
  if (input[0] !== 0x53) return 1;
  if (input[1] !== 0xa1) return 2;
  if (input[2] !== input.length) return 3;
  if ((input[3]! ^ input[4]!) !== 0x5a) return 4;
  if (input[5] !== 0xe7) return 5;
  throw new Error('the planted bug');
}
