import { InvalidArgumentError } from 'commander'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { key, roomName } from '../../src/cli/arguments.js'
import { roomId, secretKey } from '../../src/shared/id-schemas.js'

/** Returns whether the command line accepts the value. A rejection has a message. */
function takes(argument: (text: string) => string, text: string): boolean {
  try {
    expect(argument(text)).toBe(text.normalize())
    return true
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(InvalidArgumentError)
    return false
  }
}

describe('room and key options of the CLI', () => {
  // Some values are not in normal form, some are invisible, and some are too long.
  const unit = fc.oneof(
    fc.constantFrom('a', 'é', 'e\u0301', '\u200B', '\n', '\uD800', '👩‍💻', '€'),
    fc.string({ unit: 'binary' }),
  )
  const text = fc.array(unit, { maxLength: 140, size: 'max' }).map((units) => units.join(''))

  test('the room option of the CLI accepts exactly the room ids that a server accepts', () => {
    fc.assert(fc.property(text, (text) => takes(roomName, text) || !roomId.safeParse(text).success))
    for (const text of ['', 'a\nb', '\uD800']) expect(takes(roomName, text)).toBe(false)
    for (const length of [0, 1, 128, 129]) expect(takes(roomName, '👍'.repeat(length))).toBe(length > 0 && length < 129)
  })

  test('the key option of the CLI accepts exactly the keys that a server accepts', () => {
    const unit = fc.oneof(
      { weight: 99, arbitrary: fc.constantFrom('a', 'Z', '0', '-', '_') },
      fc.constantFrom('=', '+'),
    )
    const keys = fc.string({ unit, minLength: 21, maxLength: 23 })
    fc.assert(fc.property(keys, (text) => takes(key, text) === secretKey.safeParse(text).success))
    expect(takes(key, 'A'.repeat(22))).toBe(true)
  })
})
