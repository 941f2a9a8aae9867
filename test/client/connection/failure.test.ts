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

describe('a tRPC server without our procedures', () => {
  const missing = {
    message: 'No procedure found on path "location.getLocations"',
    shape: {},
    data: { httpStatus: 404 },
  }

  test('a tRPC server without our procedures is `misconfigured` and tried again, because a deploy may bring them', () => {
    expect(failureOf(missing, '/trpc')).toMatchObject({ retry: true, error: { code: 'misconfigured' } })
  })

  test('a tRPC server without our procedures refuses no post for good', () => {
    expect(failureOf(missing)).toMatchObject({ retry: true, answered: false })
  })

  test('a 404 that a procedure of the app throws is final', () => {
    const thrown = { ...missing, message: 'No such document' }
    expect(failureOf(thrown, '/trpc')).toMatchObject({ retry: false, error: { message: 'No such document' } })
  })
})
