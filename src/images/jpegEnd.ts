/** The marker EOI (ITU-T T.81, B.1.1.3). */
const end = [0xff, 0xd9] as const;

/**
 * The file with an end. Some cameras leave the marker out, and of a picture that is all there the decoder would then say what
 * it says of one cut short; where pixels are missing as well, it says so with the marker, too.
 */
export function withJpegEnd(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-2) === end[0] && bytes.at(-1) === end[1]) return bytes;
  const complete = new Uint8Array(bytes.length + end.length);
  complete.set(bytes);
  complete.set(end, bytes.length);
  return complete;
}
