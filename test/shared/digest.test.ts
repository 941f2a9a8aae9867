import { expect, test } from 'vitest'
import { Digest } from '../../src/shared/digest.js'

const digestOf = (...connections: [string, number][]) => {
  const digest = new Digest()
  for (const [connectionId, at] of connections) digest.toggle({ connectionId, at })
  return digest.toString()
}

// The vectors of docs/PROTOCOL.md.
test('the digest is what PROTOCOL.md says', () => {
  expect(digestOf()).toBe('0000000000000000')
  expect(digestOf(['SApDs4sYeMwoVltH', 1795337593774390])).toBe('7f5f139ed3760411')
  expect(digestOf(['a', 1], ['b', 2])).toBe(digestOf(['b', 2], ['a', 1]))
})

test('counting a connection out takes it away again', () => {
  expect(digestOf(['a', 1], ['b', 2], ['a', 1])).toBe(digestOf(['b', 2]))
})

test('a version makes a difference', () => {
  expect(digestOf(['a', 1])).not.toBe(digestOf(['a', 2]))
})
