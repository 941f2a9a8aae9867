import { initTRPC } from '@trpc/server'
import { cellLocation, type LocationEvent } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'

const t = initTRPC.create()
const value = z.record(z.string(), z.unknown())

function opened() {
  const hub = createLocationHub({ location: cellLocation, profile: false, presence: value })
  onTestFinished(() => hub.close())
  const caller = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true })).createCaller({})
  let seq = 0
  const post = (presence?: Record<string, unknown>, connectionKey = 'a'.repeat(22)) =>
    caller.postLocation({ room: 'a', location: null, connectionKey, memberKey: 'm'.repeat(22), seq: ++seq, presence })
  const frameAfter = async (lastEventId: string | undefined) =>
    (await caller.getLocations({ room: 'a', lastEventId })).event as LocationEvent
  const values = async () => (await hub.room('a').members()).map(({ presence }) => presence)
  return { hub, caller, post, frameAfter, values }
}

/** Returns the first event of a new stream. */
async function firstEvent(caller: { onLocation(input: { room: string }): Promise<unknown> }): Promise<unknown> {
  const stream = (await caller.onLocation({ room: 'a' })) as AsyncIterable<[id: string, event: unknown]>
  for await (const [, event] of stream) return event
}

test('a hub without a presence schema refuses presence values, and its hello does not list presence', async () => {
  const hub = createLocationHub({ location: cellLocation })
  onTestFinished(() => hub.close())
  const caller = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true })).createCaller({})
  const presence = { typing: true } as never
  await expect(caller.postLocation({ room: 'a', location: null, presence })).rejects.toThrow(/presence/)
  await expect(hub.room('a').post({ memberId: 'bot', location: null, presence })).rejects.toMatchObject({
    code: 'bad-input',
  })
  const hello = await firstEvent(caller)
  expect(hello).toMatchObject({ type: 'hello', features: ['used'] })
  expect(hello).not.toHaveProperty('presenceMs')
})

test('hello lists presence, and the presenceMs between two posts of presence values, when the hub has a presence schema', async () => {
  const { caller } = opened()
  expect(await firstEvent(caller)).toMatchObject({ type: 'hello', features: ['used', 'presence'], presenceMs: 100 })
})

describe('a presence schema', () => {
  test('a presence schema that does not accept {} is `misconfigured`', () => {
    // @ts-expect-error: typing is required
    expect(() => createLocationHub({ location: cellLocation, presence: z.object({ typing: z.boolean() }) })).toThrow(
      'must accept {}',
    )
    // @ts-expect-error: an array accepts no {}
    expect(() => createLocationHub({ location: cellLocation, presence: z.array(z.string()) })).toThrow('must accept {}')
  })

  test('a presence schema that changes values is refused, and one that also accepts text is accepted', () => {
    const transforming = z.object({ typing: z.boolean().default(false) })
    // @ts-expect-error: a default changes the value
    expect(() => createLocationHub({ location: cellLocation, presence: transforming })).toThrow(/presence schema/)
    // @ts-expect-error: true is no schema
    expect(() => createLocationHub({ location: cellLocation, presence: true })).toThrow('presence of createLocationHub')
    // @ts-expect-error: text is not an object
    const loose = () => createLocationHub({ location: cellLocation, presence: z.union([z.string(), z.object({})]) })
    expect(loose).not.toThrow()
  })
})

test('a posted presence value is shown whole, kept when a post has none, and replaced by the next posted value', async () => {
  const { post, values } = opened()
  await post({ typing: true, pointer: { x: 1 } })
  expect(await values()).toEqual([{ typing: true, pointer: { x: 1 } }])
  expect((await post()).outcome).toBe('same')
  expect(await values()).toEqual([{ typing: true, pointer: { x: 1 } }])
  await post({ typing: false })
  expect(await values()).toEqual([{ typing: false }])
  await post({})
  expect(await values()).toEqual([{}])
})

test('a post of an equal presence value is answered `same`, whatever the order of its keys', async () => {
  const { post } = opened()
  await post({ a: 1, b: 2 })
  expect((await post({ b: 2, a: 1 })).outcome).toBe('same')
})

test('the frame after a change of a presence value carries only its changed and removed keys', async () => {
  const { post, frameAfter } = opened()
  const { id, connectionId } = await post({ same: 1, changed: 1, removed: 1 })
  const second = await post({ same: 1, changed: 2, added: 1 })
  expect(await frameAfter(id)).toEqual({
    type: 'changes',
    from: id,
    changed: [
      {
        connectionId,
        at: Number(second.id!.split('.')[1]),
        presence: { added: 1, changed: 2 },
        presenceCleared: ['removed'],
      },
    ],
  })
})

test('a merged frame carries the whole presence value and the flag presenceReset', async () => {
  const { post, frameAfter } = opened()
  const { id, connectionId } = await post({ same: 1, removed: 1 })
  await post({ same: 1 })
  await post({ same: 1, added: 1 })
  const changed = { connectionId, presence: { added: 1, same: 1 }, presenceReset: true }
  expect(await frameAfter(id)).toMatchObject({ type: 'changes', changed: [changed] })
  await post({})
  expect(await frameAfter(id)).toMatchObject({ changed: [{ connectionId, presence: {}, presenceReset: true }] })
})

test('a presence value does not count as use: the connection that moved last still represents its member', async () => {
  const { post, values } = opened()
  await post({ from: 'first' }, 'a'.repeat(22))
  await post({ from: 'second' }, 'b'.repeat(22))
  await post({ from: 'first', typing: true }, 'a'.repeat(22))
  expect(await values()).toEqual([{ from: 'second' }])
})

test('a presence value is an object of at most 32 keys and 2 KiB', async () => {
  const { post, hub } = opened()
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]))
  await post(keys(32))
  await expect(post(keys(33))).rejects.toThrow('too-large: The presence value has 33 keys; the limit is 32.')
  await post({ text: 'x'.repeat(2_048 - '{"text":""}'.length) })
  await expect(post({ text: 'x'.repeat(2_049 - '{"text":""}'.length) })).rejects.toThrow('too-large')
  await expect(post([] as never)).rejects.toThrow('bad-input')
  await expect(post(null as never)).rejects.toThrow('bad-input')
  await expect(hub.room('a').post({ memberId: 'bot', location: null, presence: keys(33) })).rejects.toMatchObject({
    code: 'too-large',
  })
})

test('hub.room().post() sets the presence value of an agent', async () => {
  const { hub, values } = opened()
  await hub.room('a').post({ memberId: 'bot', location: null, presence: { thinking: true } })
  expect(await values()).toEqual([{ thinking: true }])
})

test('a presence value that is not an object is refused even when the presence schema accepts it', async () => {
  const hub = createLocationHub({ location: cellLocation, presence: z.any() })
  onTestFinished(() => hub.close())
  await expect(hub.room('a').post({ memberId: 'bot', location: null, presence: 'x' })).rejects.toMatchObject({
    code: 'bad-input',
  })
})
