import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/client/connection/failure.js'

describe('retryAfterMs', () => {
  const retryAfterMs = (message: string, data = {}) => failureOf({ message, shape: {}, data }).error.retryAfterMs

  test('the field `retryAfterMs` of an error takes precedence over a time in the message', () => {
    expect(retryAfterMs('rate-limited: Too many posts: try again in 7 ms.', { retryAfterMs: 500 })).toBe(500)
  })

  test('without the field `retryAfterMs`, the time is read from the end of the message', () => {
    expect(retryAfterMs('rate-limited: Too many posts: try again in 700 ms.')).toBe(700)
  })

  test('a time in the middle of a message is not read as `retryAfterMs`', () => {
    expect(retryAfterMs('unavailable: identify did not answer within 5000 ms: try again.')).toBeUndefined()
  })
})
