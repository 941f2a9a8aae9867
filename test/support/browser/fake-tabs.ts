type Request = {
  name: string
  run(lock: object | null): unknown
  settle(value?: unknown): void
  fail(error: Error): void
}
type How = { signal?: AbortSignal; ifAvailable?: boolean; steal?: boolean }

/** The Web Locks and the BroadcastChannels of one browser, without a browser: for tests of several tabs in one process. */
export function fakeTabs() {
  const held = new Map<string, Request>()
  let waiting: Request[] = []
  const channels = new Set<FakeChannel>()
  /** True while messages are held back, as between frozen tabs. */
  const frozen = new Set<FakeChannel>()

  const grant = (request: Request) => {
    held.set(request.name, request)
    const over = (settle: () => void) => {
      settle()
      if (held.get(request.name) !== request) return
      held.delete(request.name)
      const next = waiting.find(({ name }) => name === request.name)
      waiting = waiting.filter((other) => other !== next)
      if (next) grant(next)
    }
    void (async () => request.run({}))().then(
      (value) => over(() => request.settle(value)),
      (error: Error) => over(() => request.fail(error)),
    )
  }
  const locks = {
    /** Set to refuse locks, as in a sandboxed frame. */
    refusal: null as Error | null,
    request: (name: string, how: How, run: Request['run']) =>
      new Promise<unknown>((settle, fail) => {
        if (locks.refusal) return fail(locks.refusal)
        if (how.signal?.aborted) return fail(new DOMException('aborted', 'AbortError'))
        const request: Request = { name, run, settle, fail }
        const holder = held.get(name)
        if (holder && how.ifAvailable) return void (async () => run(null))().then(settle, fail)
        if (holder && how.steal) {
          held.delete(name)
          holder.fail(new DOMException('stolen', 'AbortError'))
        } else if (holder) {
          waiting.push(request)
          how.signal?.addEventListener('abort', () => {
            if (!waiting.includes(request)) return
            waiting = waiting.filter((other) => other !== request)
            fail(new DOMException('aborted', 'AbortError'))
          })
          return
        }
        grant(request)
      }),
  }

  class FakeChannel extends EventTarget {
    readonly name: string
    constructor(name: string) {
      super()
      this.name = name
      channels.add(this)
    }
    postMessage(message: unknown) {
      if (!channels.has(this)) throw new DOMException('closed', 'InvalidStateError')
      const data: unknown = structuredClone(message)
      queueMicrotask(() => {
        for (const other of channels)
          if (other !== this && other.name === this.name && !frozen.has(other))
            other.dispatchEvent(Object.assign(new Event('message'), { data }))
      })
    }
    close() {
      channels.delete(this)
    }
  }
  return {
    locks,
    BroadcastChannel: FakeChannel,
    channels: () => [...channels],
    names: () => [...held.keys()],
    freeze: (channel: FakeChannel) => void frozen.add(channel),
  }
}
