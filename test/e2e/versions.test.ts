import { readFileSync } from 'node:fs'
import type { LeaveRoomInput, PostLocationInput, PostLocationOutput } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { cell, type Cells } from '../support/clients/stock-client.js'
import { scriptedServer } from '../support/servers/scripted-server.js'
import { until } from '../support/until.js'

/*
 * Old client with new server and the reverse, as in a rolling deploy. The fixture holds what client and server of version
 * 0.1.0, before `hello.features`, said to each other.
 */

type Call = { who: string; procedure: string; input: object; output?: object; stream?: string }
const fixture = new URL('../fixtures/wire-0.1.0.json', import.meta.url)
const { calls } = JSON.parse(readFileSync(fixture, 'utf8')) as { calls: Call[] }
const callsOf = (procedure: string) => calls.filter((call) => call.procedure === procedure)
const textOf = (value: unknown) => JSON.stringify(value)

test('the server answers the calls of a client 0.1.0 as a server 0.1.0 did', async () => {
  const { url, close } = await serveLocations()
  onTestFinished(close)
  for (const { procedure, input, output } of calls) {
    if (!output) continue
    const response = await fetch(`${url}/${procedure}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: textOf(input),
    })
    const { result } = (await response.json()) as { result: { data: Record<string, unknown> } }
    const { id: _id, ...answer } = result.data
    const { id: _recorded, ...recorded } = output as Record<string, unknown>
    expect(answer, textOf(input)).toEqual(recorded)
  }
})

test('the client sends a server 0.1.0 nothing that a client 0.1.0 did not send, and shows its room', async () => {
  const server = await scriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const client = createLocationClient<Cells>({ url: server.url })
  onTestFinished(() => client.close())
  const own = callsOf('postLocation').find(({ who }) => who === 'ada')!.output as PostLocationOutput
  const posts: PostLocationInput[] = []
  server.answers.post = (input) => {
    posts.push(input)
    return { ...own, seq: input.seq ?? 0 }
  }
  const room = client.join('sheet', { location: cell(1), profile: { name: 'Ada' } })
  const heard: string[] = []
  for (const event of ['entered', 'moved', 'updated', 'left'] as const)
    room.on(event, ({ member }) => heard.push(`${member.profile?.name} ${event}`))
  const stream = await server.stream()
  stream.write(callsOf('onLocation').find(({ who }) => who === 'ada')!.stream!)
  await until('the recorded stream was shown', () => heard.includes('Bobby left'))
  expect(new Set(heard)).toEqual(new Set(['Bob entered', 'Bob updated', 'Bobby updated', 'Bobby moved', 'Bobby left']))
  room.update({ activity: 'idle' })
  room.post(cell(2))
  await room.flush()
  await room.leave()
  const fieldsOf = (inputs: object[]) => new Set(inputs.flatMap((input) => Object.keys(input)))
  const known = fieldsOf(callsOf('postLocation').map(({ input }) => input))
  expect([...fieldsOf(posts)].filter((field) => !known.has(field))).toEqual([])
  const leaves: LeaveRoomInput[] = [await server.leave()]
  expect(fieldsOf(leaves)).toEqual(fieldsOf(callsOf('leaveRoom').map(({ input }) => input)))
})

test('the client says to a server of today how long ago its page was used', async () => {
  const served = await serveLocations()
  onTestFinished(() => served.close())
  const posts: PostLocationInput[] = []
  const client = createLocationClient<Cells>({
    url: served.url,
    fetch(input, init) {
      if (typeof init?.body === 'string') posts.push(JSON.parse(init.body) as PostLocationInput)
      return fetch(input, init)
    },
  })
  onTestFinished(() => client.close())
  const room = client.join('sheet')
  await Promise.all([room.ready(), room.flush()])
  room.post(cell(2))
  await room.flush()
  expect(posts.at(-1)).toMatchObject({ activeAgoMs: expect.any(Number) as number })
})
