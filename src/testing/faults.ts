import { systemClock, type Clock } from '../shared/index.js'

/** The faults between a client and a server. Each number from 0 to 1 is a probability. */
export type Faults = {
  /** A request or its answer is lost, and the client gets an error. */
  drop?: number
  /** The longest extra delay of a request, in milliseconds. Requests may overtake each other. */
  delayMs?: number
  /** A request arrives twice. */
  duplicate?: number
  /** A proxy answers 502 or 503 in the server's place. */
  badGateway?: number
  /** A stream breaks off, after up to `cutAfterBytes` bytes (default 2,000). */
  cut?: number
  cutAfterBytes?: number
  /** A stream stays open, but sends nothing after a random point. */
  halfOpen?: number
  /** A proxy holds back the bytes of a stream until the stream ends. */
  buffering?: boolean
}

/** A `fetch` with faults that a test changes while it runs. */
export interface FaultyFetch {
  /** The `fetch` to pass to a client. */
  readonly fetch: typeof fetch
  /**
   * The faults. A test may change them at any time; requests and streams that have begun keep the faults that they
   * began with.
   */
  faults: Faults
}

/** Simulates a faulty network in this process. The same seed gives the same faults to the same requests. */
export function faultyFetch(
  faults: Faults,
  {
    seed = 1,
    clock = systemClock,
    fetch = globalThis.fetch,
  }: { seed?: number; clock?: Clock; fetch?: typeof globalThis.fetch } = {},
): FaultyFetch {
  const random = mulberry32(seed)
  const happens = (probability = 0) => random() < probability
  const pass = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve))

  const faulty: FaultyFetch = {
    faults,
    async fetch(input, init) {
      const { drop, delayMs = 0, duplicate, badGateway } = faulty.faults
      if (delayMs > 0) await pass(random() * delayMs)
      init?.signal?.throwIfAborted()
      if (happens(badGateway)) return new Response('<h1>Bad gateway</h1>', { status: happens(0.5) ? 502 : 503 })
      if (happens(drop)) throw new TypeError('The request was lost on purpose.')
      const response = await fetch(input, init)
      if (isStream(response)) return damaged(response, faulty.faults)
      if (happens(duplicate)) await fetch(input, init).then((again) => again.body?.cancel())
      if (!happens(drop)) return response
      await response.body?.cancel()
      throw new TypeError('The answer was lost on purpose.')
    },
  }
  const damaged = (response: Response, { cut, cutAfterBytes = 2_000, halfOpen, buffering }: Faults): Response => {
    const cutAt = happens(cut) ? Math.floor(random() * cutAfterBytes) : Infinity
    const silentAt = happens(halfOpen) ? Math.floor(random() * cutAfterBytes) : Infinity
    let passed = 0
    const held: Uint8Array[] = []
    const damage = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        const end = Math.min(cutAt, silentAt, passed + chunk.length)
        const whole = chunk.subarray(0, Math.max(0, end - passed))
        passed += chunk.length
        if (buffering) held.push(whole)
        else if (whole.length > 0) out.enqueue(whole)
        if (passed >= cutAt) out.error(new TypeError('The stream was cut on purpose.'))
      },
      flush: (out) => held.forEach((chunk) => out.enqueue(chunk)),
    })
    return new Response(response.body!.pipeThrough(damage), { status: response.status, headers: response.headers })
  }
  return faulty
}

/**
 * Returns a clock that is wrong on purpose: its wall clock is off by `offsetMs`, and both wall clock and durations run
 * `rate` times as fast.
 */
export function skewedClock(clock: Clock, { offsetMs = 0, rate = 1 }: { offsetMs?: number; rate?: number }): Clock {
  const startMs = clock.date().getTime()
  return {
    now: () => clock.now() * rate,
    date: () => new Date(startMs + (clock.date().getTime() - startMs) * rate + offsetMs),
    after: (delayMs, run) => clock.after(delayMs / rate, run),
  }
}

const isStream = ({ ok, body, headers }: Response) =>
  ok && body !== null && (headers.get('content-type') ?? '').startsWith('text/event-stream')

/** Mulberry32 by Tommy Ettinger (public domain): small, and random enough to choose faults. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
