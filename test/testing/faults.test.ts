import { faultyFetch, manualClock, skewedClock } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { countedClock } from '../support/counted-clock.js'
import { settled } from '../support/servers/memory-server.js'

/** A `fetch` that counts its calls, and streams 5 chunks of 10 bytes for a URL that ends with `stream`. */
function counting() {
  const calls: string[] = []
  let cancelled = 0
  const fetch = async (url: string) => {
    calls.push(url)
    if (url.endsWith('stream')) {
      const body = new ReadableStream({
        start(controller) {
          for (let i = 0; i < 5; i++) controller.enqueue(new TextEncoder().encode(String(i).repeat(10)))
          controller.close()
        },
      })
      return new Response(body, { status: 200, headers: { 'content-type': 'text/event-stream', 'x-own': 'kept' } })
    }
    return new Response(
      new ReadableStream({ pull: (out) => out.enqueue(new Uint8Array([65])), cancel: () => void cancelled++ }),
    )
  }
  return { calls, fetch: fetch as unknown as typeof globalThis.fetch, cancelled: () => cancelled }
}

describe('faultyFetch', () => {
  test('without faults, requests and streams pass unchanged', async () => {
    const { fetch, calls } = counting()
    const faulty = faultyFetch({}, { fetch })
    await faulty.fetch('http://h/post')
    const stream = await faulty.fetch('http://h/stream')
    expect(await stream.text()).toBe('00000000001111111111222222222233333333334444444444')
    expect([stream.headers.get('x-own'), calls]).toEqual(['kept', ['http://h/post', 'http://h/stream']])
  })

  test('`drop` loses requests before the server and answers after it', async () => {
    const { fetch, calls } = counting()
    const faulty = faultyFetch({ drop: 1 }, { fetch })
    await expect(faulty.fetch('http://h/post')).rejects.toThrow('request was lost')
    expect(calls).toEqual([])
    faulty.faults = { drop: 0.5 }
    const ends = new Map<string, number>()
    for (let i = 0; i < 200; i++) {
      const end = await faulty.fetch('http://h/post').then(
        () => 'answered',
        ({ message }: Error) => message,
      )
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
    expect(Object.fromEntries(ends)).toEqual({
      'The request was lost on purpose.': expect.any(Number) as number,
      'The answer was lost on purpose.': expect.any(Number) as number,
      answered: expect.any(Number) as number,
    })
    // The requests whose answer was lost have reached the server.
    expect(calls.length).toBe(200 - ends.get('The request was lost on purpose.')!)
  })

  test('`duplicate` sends a request twice and a stream once', async () => {
    const { fetch, calls, cancelled } = counting()
    const faulty = faultyFetch({ duplicate: 1 }, { fetch })
    await faulty.fetch('http://h/post')
    expect([calls.length, cancelled()]).toEqual([2, 1])
    await faulty.fetch('http://h/stream')
    expect(calls).toHaveLength(3)
  })

  test('`badGateway` answers 502 and 503 in the place of the server', async () => {
    const { fetch, calls } = counting()
    const faulty = faultyFetch({ badGateway: 1 }, { fetch })
    const statuses = new Set<number>()
    for (let i = 0; i < 20; i++) statuses.add((await faulty.fetch('http://h/post')).status)
    expect([[...statuses].toSorted((a, b) => a - b), calls]).toEqual([[502, 503], []])
  })

  test('`delayMs` delays requests by up to that time, and an aborted request is not sent', async () => {
    const { fetch, calls } = counting()
    const clock = countedClock()
    const faulty = faultyFetch({ delayMs: 1_000 }, { fetch, clock })
    const controller = new AbortController()
    const aborted = faulty
      .fetch('http://h/aborted', { signal: controller.signal })
      .catch(({ message }: Error) => message)
    controller.abort(new Error('given up'))
    for (let i = 0; i < 20; i++) void faulty.fetch('http://h/post')
    await settled()
    expect([calls.length, clock.pending]).toEqual([0, 21])
    await clock.advance(500)
    expect(calls.length).toBeGreaterThan(0)
    expect(calls.length).toBeLessThan(20)
    await clock.advance(500)
    expect([await aborted, calls.length]).toEqual(['given up', 20])
  })

  test('`cut` breaks a stream off within `cutAfterBytes`', async () => {
    const { fetch } = counting()
    const faulty = faultyFetch({ cut: 1, cutAfterBytes: 20 }, { fetch })
    for (let i = 0; i < 5; i++) {
      let length = 0
      const { body } = await faulty.fetch('http://h/stream')
      const reading = (async () => {
        for await (const chunk of body!) length += chunk.length
      })()
      await expect(reading).rejects.toThrow('cut on purpose')
      expect(length).toBeLessThan(20)
    }
  })

  test('`halfOpen` sends nothing more after a point, without an error', async () => {
    const { fetch } = counting()
    const faulty = faultyFetch({ halfOpen: 1, cutAfterBytes: 20 }, { fetch })
    const text = await (await faulty.fetch('http://h/stream')).text()
    expect(text.length).toBeLessThan(20)
    expect('00000000001111111111'.startsWith(text)).toBe(true)
  })

  test('`buffering` holds all bytes back until the stream ends', async () => {
    let end = () => {}
    const fetch = async () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('held'))
            end = () => controller.close()
          },
        }),
        { headers: { 'content-type': 'text/event-stream' } },
      )
    const { body } = await faultyFetch({ buffering: true }, { fetch }).fetch('http://h/stream')
    let read = ''
    const reading = (async () => {
      for await (const chunk of body!) read += new TextDecoder().decode(chunk)
    })()
    await settled()
    expect(read).toBe('')
    end()
    await reading
    expect(read).toBe('held')
  })

  test('the same seed gives the same faults, and another seed others', async () => {
    const faultsOf = async (seed: number) => {
      const { fetch } = counting()
      const faulty = faultyFetch({ drop: 0.3, badGateway: 0.3 }, { fetch, seed })
      const seen: unknown[] = []
      for (let i = 0; i < 30; i++)
        seen.push(
          await faulty.fetch('http://h/post').then(
            ({ status }) => status,
            ({ message }: Error) => message,
          ),
        )
      return seen
    }
    expect(await faultsOf(7)).toEqual(await faultsOf(7))
    expect(await faultsOf(7)).not.toEqual(await faultsOf(8))
  })
})

describe('skewedClock', () => {
  test('a clock that is twice as fast shows twice the time, and its timers run after that time', async () => {
    const clock = manualClock()
    const fast = skewedClock(clock, { rate: 2 })
    const [now, date] = [fast.now(), fast.date().getTime()]
    let ranAt = 0
    const cancelled = fast.after(500, () => {
      throw new Error('cancelled')
    })
    cancelled()
    fast.after(1_000, () => (ranAt = fast.now()))
    await clock.advance(600)
    expect([fast.now() - now, fast.date().getTime() - date, ranAt - now]).toEqual([1_200, 1_200, 1_000])
  })

  test('an offset moves the wall clock only', async () => {
    const clock = manualClock()
    const late = skewedClock(clock, { offsetMs: -5_000 })
    await clock.advance(10)
    expect(late.date().getTime()).toBe(clock.date().getTime() - 5_000)
    expect(late.now()).toBe(clock.now())
  })
})

describe('manualClock', () => {
  test('timers run at their own time and in order, and those that they start run in the same advance', async () => {
    const clock = manualClock(0)
    const ran: string[] = []
    const note = (name: string) => () => ran.push(`${name} ${clock.date().getTime()}`)
    clock.after(30, note('c'))
    clock.after(10, () => {
      note('a')()
      clock.after(5, note('b'))
    })
    clock.after(-5, note('now'))
    clock.after(31, note('late'))
    clock.after(20, note('cancelled'))()
    await clock.advance(30)
    expect([ran, clock.date().getTime()]).toEqual([['now 0', 'a 10', 'b 15', 'c 30'], 30])
  })

  test('`stall` runs no timer until the next advance, and `step` moves the wall clock only', async () => {
    const clock = manualClock(0)
    let ran = 0
    clock.after(10, () => ran++)
    const before = clock.now()
    clock.stall(100)
    expect([ran, clock.now() - before, clock.date().getTime()]).toEqual([0, 100, 100])
    clock.step(-5_000)
    await clock.advance(0)
    expect([ran, clock.now() - before, clock.date().getTime()]).toEqual([1, 100, -4_900])
  })
})
