/**
 * Returns the text of a profile, to tell whether it changed: an object that was changed in place is another profile, and an equal
 * one that was made anew is not.
 */
export function profileText(profile: unknown): unknown {
  try {
    return JSON.stringify(profile)
  } catch {
    // `update` reports it.
    return profile
  }
}
