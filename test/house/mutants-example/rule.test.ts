import { expect, test } from 'vitest'
import { speaks } from './rule.js'

test('an equal seq does not speak', () => {
  expect(speaks(2, 1)).toBe(true)
  expect(speaks(1, 1)).toBe(false)
})
