import { drainOnSignals } from 'hereabouts/server/standalone'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** A process that has a server to drain; what it ended with, and its ear for a signal. */
function stage(server: Parameters<typeof drainOnSignals>[0]) {
  const codes: unknown[] = []
  vi.spyOn(process, 'exit').mockImplementation((code) => codes.push(code) as never)
  vi.useFakeTimers()
  const stop = drainOnSignals(server)
  const hear = process.listeners('SIGTERM').at(-1) as (signal: string) => void
  return { codes, signal: () => hear('SIGTERM'), [Symbol.dispose]: stop }
}
const forEver = () => new Promise<never>(() => {})

test.each([undefined, {}, { close: forEver }, { hub: {}, close: forEver }, { hub: { drain: forEver } }])(
  'what cannot be drained is refused when it is given, not at the signal: %o',
  (server) => {
    expect(() => drainOnSignals(server as never)).toThrow('drainOnSignals needs a server')
  },
)

test('a process whose server does not close exits 5 seconds after the drain', async () => {
  using process = stage({ hub: { drain: async () => {} }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(4_999)
  expect(process.codes).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(process.codes).toEqual([0])
})

test('a signal repeated within 500 ms counts once; a later one exits with code 1', async () => {
  using process = stage({ hub: { drain: forEver }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(400)
  process.signal()
  expect(process.codes).toEqual([])
  await vi.advanceTimersByTimeAsync(200)
  process.signal()
  expect(process.codes).toEqual([1])
})

test('a drain that fails exits with code 1', async () => {
  using process = stage({ hub: { drain: () => Promise.reject(new Error('no')) }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(0)
  expect(process.codes).toEqual([1])
})
