/** Returns 128 random bits as 22 base64url characters: the secret of a connection or of a member. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  // base64url has - and _ for + and /, and we leave out the padding (RFC 4648 §5).
  return btoa(String.fromCharCode(...bytes))
    .replace(/[+/]/g, (char) => (char === '+' ? '-' : '_'))
    .slice(0, 22)
}

/**
 * Returns the member key of this window: a reload keeps the key, and another window has its own. Without a document,
 * the key is new each time: Node >= 25 and Deno have one sessionStorage for the whole process, which would make two
 * clients one member.
 */
export function storedMemberKey(): string {
  const key = newKey()
  try {
    if (typeof document === 'undefined') return key
    const stored = sessionStorage.getItem('hereabouts:member')
    if (stored?.length === 22) return stored
    sessionStorage.setItem('hereabouts:member', key)
  } catch {
    // A sandboxed frame has no access to its storage.
  }
  return key
}
