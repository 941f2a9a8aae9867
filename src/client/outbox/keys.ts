/** 128 random bits as 22 base64url characters: whoever holds them is this connection, or this person. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  // base64url has - and _ for + and /, and we leave out the padding (RFC 4648 §5).
  return btoa(String.fromCharCode(...bytes))
    .replace(/[+/]/g, (char) => (char === '+' ? '-' : '_'))
    .slice(0, 22)
}

/** The key of this window's person: a reload keeps it, another window has its own. */
export function storedMemberKey(): string {
  try {
    const stored = sessionStorage.getItem('hereabouts:member')
    if (stored?.length === 22) return stored
    const key = newKey()
    sessionStorage.setItem('hereabouts:member', key)
    return key
  } catch {
    // No such storage here (Node), or none for us (a sandboxed frame).
    return newKey()
  }
}
