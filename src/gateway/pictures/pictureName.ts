/**
 * A stored picture named by its content (RFC 6920): `ni:///sha-256;` and the hash in base64url. It means something only to the
 * tenant that has the picture.
 */
const prefix = 'ni:///sha-256;';

/** `blobId`: SHA-256 of the file's bytes, hex. */
export function pictureName(blobId: string): string {
  return prefix + Buffer.from(blobId, 'hex').toString('base64url');
}

/** Undefined for anything that isn't such a name. */
export function blobIdOf(name: string): string | undefined {
  const hash = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^[\w-]{43}$/.test(hash) ? Buffer.from(hash, 'base64url').toString('hex') : undefined;
}
