import { initTRPC } from '@trpc/server'
import type { PostLocationInput } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationClient } from 'hereabouts/client'
import { manualClock } from 'hereabouts/testing'
import { cellLocation } from 'hereabouts'
import { expect, onTestFinished, test } from 'vitest'
import { cell, type Cells } from '../../support/clients/stock-client.js'
import { scriptedServer } from '../../support/servers/scripted-server.js'

const t = initTRPC.create()

async function reply(timing: object) {
  const hub = createLocationHub({ location: cellLocation, timing })
  onTestFinished(() => hub.close())
  const caller = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true })).createCaller({})
  return caller.postLocation({ room: 'a', location: null })
}

test('the reply to a post has postMs, the time between frames, when that is above timing.postMs, and no postMs otherwise', async () => {
  expect(await reply({ frameMinMs: 200, frameMaxMs: 250 })).toMatchObject({ postMs: 200 })
  expect(await reply({ frameMinMs: 16, frameMaxMs: 250 })).not.toHaveProperty('postMs')
})

test('a client waits for the postMs of a reply between two posts, until a reply has no postMs', async () => {
  const server = await scriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const clock = manualClock()
  const client = createLocationClient<Cells>({ url: server.url, clock })
  onTestFinished(() => client.close())
  let asked: { postMs?: number } = { postMs: 250 }
  server.answers.post = ({ seq = 0 }: PostLocationInput) => ({
    outcome: 'applied',
    connectionId: 'me',
    memberId: 'm-me',
    seq,
    ...asked,
  })
  const room = client.join('sheet')
  await server.post()
  await room.flush()
  asked = {}
  room.post(cell(1))
  await clock.advance(200)
  expect(server.waiting().posts).toBe(0)
  await clock.advance(50)
  expect(await server.post()).toMatchObject({ location: cell(1) })
  await room.flush()
  room.post(cell(2))
  await clock.advance(50)
  expect(await server.post()).toMatchObject({ location: cell(2) })
})
