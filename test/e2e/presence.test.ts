import type { PostLocationInput } from 'hereabouts'
import { createLocationClient, type Room, type RoomEvents, type RoomTypesOf } from 'hereabouts/client'
import { fakeRoom, serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { cell, type Cells } from '../support/clients/stock-client.js'
import { scriptedServer } from '../support/servers/scripted-server.js'
import { until } from '../support/until.js'

const presence = z.object({ typing: z.boolean(), pointer: z.object({ x: z.number() }).nullable() }).partial()
const serve = () =>
  serveLocations({
    presence,
    identify: ({ ctx }) => ({ memberId: ctx.headers.get('x-member')! }),
    authorize: () => true,
  })
type App = Awaited<ReturnType<typeof serve>>['server']['router']
type Types = RoomTypesOf<App>

/** Starts a server with presence values. Returns a function that opens a window (one client) of a member. */
async function house() {
  const served = await serve()
  onTestFinished(() => served.close())
  const posts: PostLocationInput[] = []
  const open = async (member: string): Promise<Room<Types>> => {
    const client = createLocationClient<App>({
      url: served.url,
      headers: { 'x-member': member },
      fetch(input, init) {
        if (typeof init?.body === 'string') posts.push(JSON.parse(init.body) as PostLocationInput)
        return fetch(input, init)
      },
    })
    onTestFinished(() => client.close())
    const room = client.join('sheet')
    await Promise.all([room.ready(), room.flush()])
    return room
  }
  return { served, open, posts }
}

test('setPresence changes the named keys, removes undefined ones, and every other member sees the value', async () => {
  const { open } = await house()
  const [ada, bob] = [await open('ada'), await open('bob')]
  const heard: RoomEvents<Types>['presence'][] = []
  const others: string[] = []
  bob.on('presence', (event) => heard.push(event))
  for (const kind of ['moved', 'updated'] as const) bob.on(kind, () => others.push(kind))
  expect(bob.other('ada')?.presence).toEqual({})
  ada.setPresence({ typing: true })
  expect(ada.self?.presence).toEqual({ typing: true })
  await until('bob sees the presence value', () => bob.other('ada')?.presence.typing)
  ada.setPresence({ pointer: { x: 1 } })
  await until('bob sees both', () => bob.other('ada')?.presence.pointer?.x === 1)
  expect(bob.other('ada')?.presence).toEqual({ typing: true, pointer: { x: 1 } })
  ada.setPresence({ typing: undefined, pointer: null })
  await until('bob sees that a key was removed', () => bob.other('ada')?.presence.typing === undefined)
  expect(bob.other('ada')?.presence).toEqual({ pointer: null })
  expect(ada.self?.presence).toEqual({ pointer: null })
  expect(heard.map(({ previous, current, member }) => [member.memberId, previous, current])).toEqual([
    ['ada', {}, { typing: true }],
    ['ada', { typing: true }, { pointer: { x: 1 }, typing: true }],
    ['ada', { pointer: { x: 1 }, typing: true }, { pointer: null }],
  ])
  expect(others).toEqual([])
})

test('a post of a location keeps the presence value, and a member who comes later sees it', async () => {
  const { open, posts } = await house()
  const ada = await open('ada')
  ada.setPresence({ typing: true })
  ada.post(cell(1))
  await ada.flush()
  expect(posts.at(-1)).toMatchObject({ location: cell(1), presence: { typing: true } })
  const bob = await open('bob')
  expect(bob.other('ada')).toMatchObject({ location: cell(1), presence: { typing: true } })
})

test('a presence value that the server refuses is not posted with the next location', async () => {
  const { open } = await house()
  const ada = await open('ada')
  ada.setPresence({ typing: true })
  await ada.flush()
  ada.setPresence({ typing: 7 as never })
  await expect(ada.flush()).rejects.toMatchObject({ code: 'bad-input' })
  ada.post(cell(2))
  await ada.flush()
  expect(ada.self).toMatchObject({ location: cell(2), presence: { typing: true } })
})

test('a presence value that is not JSON changes nothing and is reported', async () => {
  const { open } = await house()
  const ada = await open('ada')
  const errors: string[] = []
  ada.on('error', ({ error }) => errors.push(error.code))
  ada.setPresence({ pointer: { x: NaN } })
  await expect(ada.flush()).rejects.toMatchObject({ code: 'bad-input' })
  expect(errors).toEqual(['bad-input'])
  expect(ada.self?.presence).toEqual({})
})

test('a presence value that was set before hello is posted when hello lists the feature, and not before', async () => {
  const server = await scriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const client = createLocationClient<App>({ url: server.url })
  onTestFinished(() => client.close())
  const room = client.join('sheet')
  room.setPresence({ typing: true })
  const stream = await server.stream()
  expect(await server.post()).not.toHaveProperty('presence')
  const timing = { beatMs: 10_000, leaseMs: 30_000, postMs: 0 }
  stream.event('epochepoch1.1', { type: 'hello', protocol: 1, connectionId: 'me', ...timing, features: ['presence'] })
  stream.snapshot('epochepoch1.1')
  expect(await server.post()).toMatchObject({ presence: { typing: true } })
})

test('setPresence on a server without a presence schema sends nothing and reports misconfigured', async () => {
  const server = await scriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const client = createLocationClient<Cells>({ url: server.url })
  onTestFinished(() => client.close())
  const room = client.join('sheet')
  const errors: string[] = []
  room.on('error', ({ error }) => errors.push(`${error.code}: ${error.message}`))
  const anyRoom = room as unknown as { setPresence(patch: object): void }
  const stream = await server.stream()
  stream.hello('epochepoch1.1')
  stream.snapshot('epochepoch1.1')
  await room.ready()
  anyRoom.setPresence({ typing: true })
  await until('the error was reported', () => errors[0])
  expect(errors).toEqual(['misconfigured: This server has no presence schema.'])
  expect(server.waiting().posts === 0 || !('presence' in (await server.post()))).toBe(true)
})

test('a fake room shows presence values of others and keeps ours', async () => {
  await using fake = await fakeRoom<Types>({ others: { ada: { presence: { typing: true } } } })
  expect(fake.room.other('ada')?.presence).toEqual({ typing: true })
  await fake.setsPresence('ada', { pointer: { x: 2 } })
  expect(fake.room.other('ada')?.presence).toEqual({ pointer: { x: 2 } })
  await fake.moves('ada', cell(1))
  expect(fake.room.other('ada')).toMatchObject({ location: cell(1), presence: { pointer: { x: 2 } } })
  await fake.setsPresence('ada', {})
  expect(fake.room.other('ada')?.presence).toEqual({})
  fake.room.setPresence({ typing: true })
  await fake.room.flush()
  expect(fake.posts.at(-1)).toMatchObject({ presence: { typing: true } })
  expect(fake.room.self?.presence).toEqual({ typing: true })
})
