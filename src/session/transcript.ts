/** The bytes both sides hash: HELLO frame || OFFER frame || CUSTOMER_KEY frame (docs/PROTOCOL.md section 6). */

/** A frame to keep: a copy, so that what was received with it is not kept as well; the frame itself when nothing was. */
export function keep(frame: Uint8Array): Uint8Array {
  return frame.byteLength === frame.buffer.byteLength ? new Uint8Array(frame.buffer) : new Uint8Array(frame);
}

/** The frames one behind the other, in a buffer of their own: what was received is not kept alive by it. */
export function joinTranscript(...frames: readonly Uint8Array[]): Uint8Array {
  const transcript = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    transcript.set(frame, at);
    at += frame.length;
  }
  return transcript;
}
