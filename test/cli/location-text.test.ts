import { expect, test } from 'vitest'
import { placeText } from '../../src/cli/location-text.js'

test.each([
  [{ sheet: 'Q3', row: 4, col: 2 }, 'Q3!C5'],
  [{ sheet: 'Q3', row: 0, col: 0 }, 'Q3!A1'],
  [{ sheet: 'Q3', row: 0, col: 25 }, 'Q3!Z1'],
  [{ sheet: 'Q3', row: 0, col: 26 }, 'Q3!AA1'],
  [{ sheet: 'Q3', row: 0, col: 701 }, 'Q3!ZZ1'],
  [{ sheet: 'Q3', row: 1_048_575, col: 16_383 }, 'Q3!XFD1048576'],
  [{ sheet: 'Q3', from: { row: 0, col: 0 }, to: { row: 4, col: 2 } }, 'Q3!A1:C5'],
  [{ x: 3, y: -4.5 }, '(3, -4.5)'],
  [{ path: 'intro', anchor: 4, head: 4 }, 'intro:4'],
  [{ path: 'intro', anchor: 4, head: 9 }, 'intro:4-9'],
  [null, 'nowhere in particular'],
  ['kitchen', '"kitchen"'],
  [7, '7'],
  [{ sheet: 'Q3', row: 'four', col: 2 }, '{"sheet":"Q3","row":"four","col":2}'],
  [{ sheet: '\u001b[31mQ3', row: 4, col: 2 }, 'Q3!C5'],
])('the CLI prints the location %j as %s', (location, text) => {
  expect(placeText(location)).toBe(text)
})
