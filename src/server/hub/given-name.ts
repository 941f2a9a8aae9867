import { LocationError } from '../../shared/errors.js'
import { nameFault, normalName } from '../../shared/name-rule.js'

/** Returns a name in normal form C. @throws LocationError `bad-input` */
export function nameOf(given: string, kind: 'room' | 'member'): string {
  // In JavaScript, anything may be given.
  const name = typeof given === 'string' ? normalName(given) : ''
  const fault = nameFault(name)
  if (fault !== null) throw new LocationError('bad-input', `A ${kind} id ${fault}.`)
  return name
}
