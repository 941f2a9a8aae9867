import { drainOnSignals } from 'hereabouts/server/standalone'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** Calls drainOnSignals for a server. Returns the exit codes of the process, and a function that sends it SIGTERM. */
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
  'drainOnSignals refuses a value that cannot be drained: %o',
  (server) => {
    expect(() => drainOnSignals(server as never)).toThrow('drainOnSignals needs a server')
  },
)

test('a process whose server does not close exits with code 0 five seconds after the drain', async () => {
  using process = stage({ hub: { drain: async () => {} }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(4_999)
  expect(process.codes).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(process.codes).toEqual([0])
})

test('a SIGTERM repeated within 500 ms counts once, and a later SIGTERM exits with code 1', async () => {
  using process = stage({ hub: { drain: forEver }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(400)
  process.signal()
  expect(process.codes).toEqual([])
  await vi.advanceTimersByTimeAsync(200)
  process.signal()
  expect(process.codes).toEqual([1])
})

test('a process whose drain fails exits with code 1', async () => {
  using process = stage({ hub: { drain: () => Promise.reject(new Error('no')) }, close: forEver })
  process.signal()
  await vi.advanceTimersByTimeAsync(0)
  expect(process.codes).toEqual([1])
})
