import { LocationError } from '../../shared/errors.js'
import { nameFault, normalName } from '../../shared/name-rule.js'

/** Returns a valid name in Unicode normal form C. @throws LocationError `bad-input` */
export function nameOf(given: string, kind: 'room' | 'member'): string {
  // In plain JavaScript, `given` may be of any type.
  const name = typeof given === 'string' ? normalName(given) : ''
  const fault = nameFault(name)
  if (fault !== null) throw new LocationError('bad-input', `A ${kind} id ${fault}.`)
  return name
}
