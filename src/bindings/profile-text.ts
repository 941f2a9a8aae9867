/**
 * Returns the text of a profile, by which a change is noticed: an object that was changed in place counts as changed,
 * and a new object with equal values does not.
 */
export function profileText(profile: unknown): unknown {
  try {
    return JSON.stringify(profile)
  } catch {
    // A profile that is not JSON is reported by `update`.
    return profile
  }
}
