import { describe, expect, test, vi } from 'vitest'
import { ignoreErrors, safeLogger, safeMetrics, withDeadline } from '../../../src/server/access/app-callbacks.js'
import type { Logger } from '../../../src/server/options/logger.js'
import type { Metrics } from '../../../src/server/options/metrics.js'
import { countingClock } from '../../support/counting-clock.js'

/* Callbacks of the app may throw, hang or return anything. */

const hookMs = 5_000

describe('a callback with a deadline', () => {
  test.each([
    ['resolves', () => Promise.resolve('yes')],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('a callback that %s leaves no timer', async (_what, run) => {
    const clock = countingClock()
    const answer = run()
    const seen = withDeadline('identify()', answer, { clock, hookMs })
    expect(clock.pending).toBe(1)
    await Promise.allSettled([seen])
    await clock.advance(0)
    expect(clock.pending).toBe(0)
    expect(await Promise.allSettled([seen])).toEqual(await Promise.allSettled([answer]))
  })

  test('a callback that hangs is `unavailable` at the deadline and not before, and its late answer is ignored', async () => {
    const clock = countingClock()
    let answerLate = (_answer: string) => {}
    const late = new Promise<string>((resolve) => (answerLate = resolve))
    let outcome: unknown
    const seen = withDeadline('identify()', late, { clock, hookMs }).catch((error: unknown) => (outcome = error))
    await clock.advance(hookMs - 1)
    expect(outcome).toBeUndefined()
    await clock.advance(1)
    await seen
    answerLate('late')
    expect(outcome).toMatchObject({
      code: 'unavailable',
      message: 'identify() did not answer within 5000 ms: try again.',
    })
    expect(clock.pending).toBe(0)
  })
})

test('the rejection of a promise that is not awaited is handled, and other values are ignored', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  for (const value of [Promise.reject(new Error('no')), undefined, null, 7, {}]) ignoreErrors(value)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

const faults: [string, () => unknown][] = [
  ['throws', () => { throw new Error('no') }],
  ['rejects', () => Promise.reject(new Error('no'))],
  ['returns', () => undefined],
] // prettier-ignore

/** Returns functions that note their name and arguments in `seen`, and then behave. */
function noting(behave: () => unknown) {
  const seen: unknown[][] = []
  const note =
    (name: string) =>
    (...args: unknown[]) => {
      seen.push([name, ...args])
      return behave() as void
    }
  return { seen, note }
}

describe.each(faults)('a callback of the app that %s', (_what, behave) => {
  test.each(['info', 'warn', 'error'] as const)('a logger gets the message and the details of %s()', (level) => {
    const { seen, note } = noting(behave)
    const logger: Logger = { info: note('info'), warn: note('warn'), error: note('error') }
    safeLogger(logger)[level]('a message', { room: 'x' })
    expect(seen).toEqual([[level, 'a message', { room: 'x' }]])
  })

  test('metrics get every call, and only watch() may fail', () => {
    const { seen, note } = noting(behave)
    const metrics = safeMetrics({
      called: note('called'),
      fannedOut: note('fannedOut'),
      streamEnded: note('streamEnded'),
      watch: (read) => void seen.push(['watch', read]),
    } satisfies Metrics)
    const read = () => ({}) as never
    metrics.called('post', 'ok', 5)
    metrics.fannedOut(3, 7)
    metrics.streamEnded('slow')
    metrics.watch(read)
    expect(seen).toEqual([
      ['called', 'post', 'ok', 5],
      ['fannedOut', 3, 7],
      ['streamEnded', 'slow'],
      ['watch', read],
    ])
  })
})

test('metrics that cannot work may throw in watch()', () => {
  const watch = () => {
    throw new Error('registered twice')
  }
  const metrics = safeMetrics({ called() {}, fannedOut() {}, streamEnded() {}, watch })
  expect(() => metrics.watch(() => ({}) as never)).toThrow('registered twice')
})
