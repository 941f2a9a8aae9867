import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/client/connection/failure.js'

describe('retryAfterMs', () => {
  const retryAfterMs = (message: string, data = {}) => failureOf({ message, shape: {}, data }).error.retryAfterMs

  test('retryAfterMs is read from the field of the error', () => {
    expect(retryAfterMs('rate-limited: Too many posts: try again in 7 ms.', { retryAfterMs: 500 })).toBe(500)
  })

  test('retryAfterMs falls back to the end of the sentence', () => {
    expect(retryAfterMs('rate-limited: Too many posts: try again in 700 ms.')).toBe(700)
  })

  test('retryAfterMs is not a time that another sentence names', () => {
    expect(retryAfterMs('unavailable: identify did not answer within 5000 ms: try again.')).toBeUndefined()
  })
})
