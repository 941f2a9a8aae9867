import { createLocationClient } from 'hereabouts/client'
import { cellLocation } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../support/until.js'

/* `room.lock` on a real server, whose heartbeat interval is a twentieth of the default. */

const cell = (row: number) => ({ sheet: 'Q3', row, col: 1 })
const serve = (options: { port?: number; timing?: object } = {}) =>
  serveLocations({
    locks: { idleMs: 500 },
    location: cellLocation,
    identify: ({ ctx }) => ({ memberId: ctx.headers.get('x-member') ?? 'nobody' }),
    authorize: () => true,
    ...options,
    // Leases and locks are long, so that a busy machine does not exceed their times.
    timing: { scale: 1 / 20, claimMs: 0, lockMs: 30_000, leaseMs: 30_000, ...options.timing },
  })

async function stage(options: { timing?: object } = {}) {
  let server = await serve(options)
  onTestFinished(() => server.close())
  const { port, url } = server
  const join = async (memberId: string) => {
    const client = createLocationClient<typeof server.server.router>({ url, headers: { 'x-member': memberId } })
    onTestFinished(() => client.close())
    const room = client.join('r')
    await Promise.all([room.ready(), room.flush()])
    return room
  }
  const kill = () => server.close()
  const restart = async (timing: object) => void (server = await serve({ port, timing }))
  return { join, kill, restart, url, hub: () => server.hub }
}

test('a place that one member locked is taken for others until it is released as often as it was taken', async () => {
  const { join, hub } = await stage()
  const [ada, bob] = [await join('ada'), await join('bob')]
  const lock = (await ada.lock(cell(1)))!
  expect(lock).toMatchObject({ location: cell(1), fence: expect.any(Number) as number })
  expect(
    await hub()
      .room('r')
      .isLocked({ location: cell(1), memberId: 'ada', fence: lock.fence }),
  ).toBe(true)
  expect(await bob.lock(cell(1))).toBe(null)
  await until('bob sees it', () => bob.lockedBy(cell(1))?.memberId === 'ada')
  // The order of keys does not matter.
  expect(await ada.lock({ col: 1, row: 1, sheet: 'Q3' })).toBe(lock)
  await lock.release()
  expect(await bob.lock(cell(1))).toBe(null)
  await lock.release()
  let next: Awaited<ReturnType<typeof bob.lock>> = null
  await until('bob gets it', async () => (next = await bob.lock(cell(1))) !== null)
  expect(next!.fence).toBeGreaterThan(lock.fence)
  expect(lock.signal.aborted).toBe(false)
})

test('a location that the app changes after the call is locked as it was at the call', async () => {
  const { join } = await stage()
  const ada = await join('ada')
  const place = cell(1)
  // The first call loads the code of locks, the second one does not.
  for (const row of [2, 3]) {
    const lock = ada.lock(place)
    place.row = row
    expect((await lock)?.location).toEqual(cell(row - 1))
  }
})

test('another window of the member gets a locked place only with `takeOver`, and the lock of the first window then aborts', async () => {
  const { join } = await stage()
  const [first, second] = [await join('ada'), await join('ada')]
  const lock = (await first.lock(cell(1)))!
  expect(await second.lock(cell(1))).toBe(null)
  expect(await second.lock(cell(1), { takeOver: true })).not.toBe(null)
  await until('the first window is told', () => lock.signal.aborted)
})

test('a call with `takeOver` takes the place while a call without it is pending, and both calls get the lock', async () => {
  const { join } = await stage()
  const [first, second] = [await join('ada'), await join('ada')]
  const lock = (await first.lock(cell(1)))!
  const asked = [second.lock(cell(1)), second.lock(cell(1), { takeOver: true })]
  const [joined, taken] = await Promise.all(asked)
  expect(taken).not.toBe(null)
  // Both calls of the second window resolve with the same lock.
  expect(joined).toBe(taken)
  await until('the first window is told', () => lock.signal.aborted)
  // A call with `takeOver` does not join a call that was answered, either.
  expect(await first.lock(cell(1))).toBe(null)
  expect(await first.lock(cell(1), { takeOver: true })).not.toBe(null)
})

test('a call of `lock` that is aborted while pending leaves the place free', async () => {
  const { join } = await stage()
  const [ada, bob] = [await join('ada'), await join('bob')]
  const controller = new AbortController()
  const asked = ada.lock(cell(1), { signal: controller.signal })
  controller.abort(new Error('given up'))
  await expect(asked).rejects.toThrow('given up')
  await until('it is free', async () => (await bob.lock(cell(1))) !== null)
})

test('when the hub unlocks a place, the signal of its lock aborts', async () => {
  const { join, hub } = await stage()
  const ada = await join('ada')
  const lock = (await ada.lock(cell(1)))!
  await hub().room('r').unlock(cell(1))
  await until('ada is told', () => lock.signal.aborted)
  expect(ada.lockedBy(cell(1))).toBe(null)
})

test('a lock survives the restart of a server that has rooms in memory, with a higher fence', async () => {
  const { join, kill, restart } = await stage()
  const [ada, bob] = [await join('ada'), await join('bob')]
  const lock = (await ada.lock(cell(1)))!
  const { fence } = lock
  await kill()
  await restart({ claimMs: 2_000 })
  const taken = bob.lock(cell(1))
  await until('ada has it again', () => lock.fence > fence)
  expect(await taken).toBe(null)
  expect(lock.signal.aborted).toBe(false)
  await until('bob sees it', () => bob.lockedBy(cell(1))?.memberId === 'ada')
})

test('a lock is lost by the clock of its holder when the server cannot be reached for `lockMs`', async () => {
  const { join, kill } = await stage({ timing: { lockMs: 1_500 } })
  const ada = await join('ada')
  const lock = (await ada.lock(cell(1)))!
  await kill()
  await until('its time is over', () => lock.signal.aborted)
})

test('a client that is away for `idleMs` releases its locks', async () => {
  const { join } = await stage()
  const [ada, bob] = [await join('ada'), await join('bob')]
  const lock = (await ada.lock(cell(1)))!
  ada.update({ activity: 'away' })
  await until('ada lost it', () => lock.signal.aborted)
  await until('bob gets it', async () => (await bob.lock(cell(1))) !== null)
})

test('a place that is asked for again while an aborted call is still pending stays locked', async () => {
  const { url, hub } = await stage()
  let answer = () => {}
  const answered = new Promise<void>((resolve) => (answer = resolve))
  let calls = 0
  const client = createLocationClient<Awaited<ReturnType<typeof serve>>['server']['router']>({
    url,
    headers: { 'x-member': 'ada' },
    async fetch(input, init) {
      const response = await fetch(input, init)
      // Holds back the answer to the first call.
      if ((input as string).includes('lockLocation') && ++calls === 1) await answered
      return response
    },
  })
  onTestFinished(() => client.close())
  const ada = client.join('r')
  const controller = new AbortController()
  const given = ada.lock(cell(1), { signal: controller.signal }).catch((error: unknown) => error)
  await until('the server has decided', async () => calls === 1)
  controller.abort(new Error('given up'))
  expect(await given).toMatchObject({ message: 'given up' })
  const again = ada.lock(cell(1))
  answer()
  const lock = (await again)!
  // Calls are made one after the other: all earlier calls are answered before this one.
  expect(await ada.lock(cell(2))).not.toBe(null)
  const held = { location: cell(1), memberId: 'ada', fence: lock.fence }
  expect(await hub().room('r').isLocked(held)).toBe(true)
  expect(lock.signal.aborted).toBe(false)
})

/** Joins a room and records the calls of `lockLocation`. The first call is answered with `answer`, if it is given. */
async function observed(url: string, answer?: object) {
  const inputs: { claim?: number }[] = []
  const client = createLocationClient<Awaited<ReturnType<typeof serve>>['server']['router']>({
    url,
    headers: { 'x-member': 'ada' },
    async fetch(input, init) {
      if (!(input as string).includes('lockLocation')) return fetch(input, init)
      inputs.push(JSON.parse(init!.body as string) as { claim?: number })
      return answer && inputs.length === 1 ? Response.json({ result: { data: answer } }) : fetch(input, init)
    },
  })
  onTestFinished(() => client.close())
  const room = client.join('r')
  await Promise.all([room.ready(), room.flush()])
  return { room, inputs }
}

test('a call of `lock` that the server answers with `absent` is made again', async () => {
  const { url } = await stage()
  const { room, inputs } = await observed(url, { outcome: 'absent' })
  expect(await room.lock(cell(1))).toMatchObject({ location: cell(1) })
  expect(inputs).toHaveLength(2)
})

test('after a restart of the server, a holder claims its place with its old fence', async () => {
  const { url, kill, restart } = await stage()
  const { room, inputs } = await observed(url)
  const lock = (await room.lock(cell(1)))!
  const { fence } = lock
  await kill()
  await restart({ claimMs: 500 })
  await until('it has it again', () => lock.fence > fence)
  expect(inputs[0]!.claim).toBe(undefined)
  expect(inputs.slice(1).map(({ claim }) => claim)).toEqual(inputs.slice(1).map(() => fence))
})

test('a page with a server-rendered room can lock a place before its first hello', async () => {
  const { join, url } = await stage()
  await join('bob')
  const client = createLocationClient<Awaited<ReturnType<typeof serve>>['server']['router']>({
    url,
    headers: { 'x-member': 'ada' },
    // No stream opens, so no hello says whether the server has locks.
    fetch: (input, init) =>
      (input as string).includes('onLocation') ? new Promise<Response>(() => {}) : fetch(input, init),
  })
  onTestFinished(() => client.close())
  const initial = { id: 'epochepoch1.1', event: { type: 'snapshot' as const, connections: [] } }
  const room = client.join('r', { initial })
  expect(await room.lock(cell(1))).toMatchObject({ location: cell(1) })
})

test('`lock` rejects with `misconfigured` when the server has no locks', async () => {
  const server = await serveLocations()
  onTestFinished(() => server.close())
  const client = createLocationClient({ url: server.url } as never)
  onTestFinished(() => client.close())
  const room = client.join('r') as unknown as { lock(location: object): Promise<unknown> }
  await expect(room.lock(cell(1))).rejects.toMatchObject({ code: 'misconfigured' })
})

test('leaving a room aborts its locks and frees their places', async () => {
  const { join } = await stage()
  const [ada, bob] = [await join('ada'), await join('bob')]
  const lock = (await ada.lock(cell(1)))!
  await ada.leave()
  expect(lock.signal.aborted).toBe(true)
  expect(await bob.lock(cell(1))).not.toBe(null)
})
