import { readFileSync } from 'node:fs'
import type { LeaveRoomInput, PostLocationInput, PostLocationOutput } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import { cell, type Cells } from '../support/clients/stock-client.js'
import { scriptedServer } from '../support/servers/scripted-server.js'
import { until } from '../support/until.js'

/*
 * An old client with a new server, and the reverse, as in a rolling deploy. The fixture is a recording of the traffic
 * between a client and a server of version 0.1.0, which did not have `hello.features` yet.
 */

type Call = { who: string; procedure: string; input: object; output?: object; stream?: string }
const fixture = new URL('../fixtures/wire-0.1.0.json', import.meta.url)
const { calls } = JSON.parse(readFileSync(fixture, 'utf8')) as { calls: Call[] }
const callsOf = (procedure: string) => calls.filter((call) => call.procedure === procedure)
const textOf = (value: unknown) => JSON.stringify(value)

type Entry = Record<string, unknown>
type Sent = Entry & { type: string; connections?: Entry[]; entered?: Entry[]; changed?: Entry[]; left?: Entry[] }
const eventsOf = (stream: string) =>
  Array.from(stream.matchAll(/^data: (.*"type":.*)$/gm), ([, data]) => JSON.parse(data!) as Sent)

/** Returns the names of the fields of each type of event, and of each kind of entry in an event. */
function fieldsByType(events: Sent[]): Map<string, Set<string>> {
  const fields = new Map<string, Set<string>>()
  const note = (type: string, entries: Entry[] = []) => {
    for (const entry of entries) fields.set(type, new Set([...(fields.get(type) ?? []), ...Object.keys(entry)]))
  }
  for (const event of events) {
    if (event.type === 'beat') continue
    note(event.type, [event])
    note('connection', [...(event.connections ?? []), ...(event.entered ?? [])])
    note('changed', event.changed)
    note('left', event.left)
  }
  return fields
}

test("today's server answers the recorded calls of a 0.1.0 client with the recorded answers of a 0.1.0 server", async () => {
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

test("today's client shows the recorded stream of a 0.1.0 server, and sends it only fields that a 0.1.0 client sent", async () => {
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

test("today's server sends every event field that a 0.1.0 server sent, so that a 0.1.0 client finds all of them", async () => {
  const { url, close } = await serveLocations()
  onTestFinished(close)
  const stream = await fetch(`${url}/onLocation?input=${encodeURIComponent(textOf({ room: 'sheet' }))}`)
  for (const { procedure, input } of calls)
    if (procedure !== 'onLocation')
      await fetch(`${url}/${procedure}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: textOf(input),
      })
  const recorded = eventsOf(
    callsOf('onLocation')
      .map(({ stream: text }) => text!)
      .join(''),
  )
  const known = fieldsByType(recorded)
  let text = ''
  const sent = () => fieldsByType(eventsOf(text))
  const isComplete = () =>
    [...known].every(([type, fields]) => [...fields].every((field) => sent().get(type)?.has(field)))
  for await (const chunk of stream.body!) {
    text += new TextDecoder().decode(chunk)
    if (isComplete()) break
  }
  expect([...known.keys()].sort()).toEqual(['changed', 'changes', 'connection', 'hello', 'left', 'snapshot'])
  expect(isComplete(), text).toBe(true)
})

test("today's client, when it polls a 0.1.0 server, sends it only post fields that a 0.1.0 client sent", async () => {
  const server = await scriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  server.answers.contentType = 'text/html'
  server.answers.poll = () => ({ id: 'epochepoch1.1', event: { type: 'snapshot', connections: [] } })
  const client = createLocationClient<Cells>({ url: server.url })
  onTestFinished(() => client.close())
  const room = client.join('sheet', { location: cell(1), profile: { name: 'Ada' } })
  const inputs = [await server.post()]
  await room.ready()
  const errors: string[] = []
  room.on('error', ({ error }) => errors.push(error.code))
  ;(room as unknown as { setPresence(patch: object): void }).setPresence({ typing: true })
  room.post(cell(2))
  await room.flush()
  while (server.waiting().posts > 0) inputs.push(await server.post())
  const known = new Set(['leaseMs', ...callsOf('postLocation').flatMap(({ input }) => Object.keys(input))])
  expect(inputs.flatMap((input) => Object.keys(input)).filter((field) => !known.has(field))).toEqual([])
  expect(errors).toEqual(['misconfigured'])
})

test("today's client tells today's server in each post how long ago its page was used (activeAgoMs)", async () => {
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
