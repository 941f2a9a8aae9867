import { expect, test } from 'vitest'
import { Digest } from '../../src/shared/digest.js'

const digestOf = (...connections: [string, number][]) => {
  const digest = new Digest()
  for (const [connectionId, at] of connections) digest.toggle({ connectionId, at })
  return digest.toString()
}

test('the digest equals the test vectors of PROTOCOL.md, in any order of connections', () => {
  expect(digestOf()).toBe('0000000000000000')
  expect(digestOf(['SApDs4sYeMwoVltH', 1795337593774390])).toBe('7f5f139ed3760411')
  expect(digestOf(['a', 1], ['b', 2])).toBe(digestOf(['b', 2], ['a', 1]))
})

test('toggling a connection twice removes it from the digest', () => {
  expect(digestOf(['a', 1], ['b', 2], ['a', 1])).toBe(digestOf(['b', 2]))
})

test('two versions of a connection have different digests', () => {
  expect(digestOf(['a', 1])).not.toBe(digestOf(['a', 2]))
})
