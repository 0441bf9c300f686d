import { CONTENT_TYPE_BYTES_MAX } from '../limits.ts';
import type { LengthBounds } from './field-reader.ts';

/** 1 to 128 bytes of printable ASCII. */
export const CONTENT_TYPE = /^[\x20-\x7e]+$/;
export const CONTENT_TYPE_BOUNDS: LengthBounds = { min: 1, max: CONTENT_TYPE_BYTES_MAX, beyond: 'TOO_LARGE' };
