import { createServer } from 'node:http'
import type { RoomTypes } from 'hereabouts'
import { createLocationClient, LocationError } from 'hereabouts/client'
import type { LocationRouter } from 'hereabouts/server/standalone'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { failureOf } from '../../src/cli/failure.js'
import { mutate } from '../../src/cli/target.js'
import { listening } from '../support/network/listening.js'

/* The command line goes by codes and fields, never by the wording of an error. */

const notHere = /answers, but not as a location server/
const url = 'http://localhost:3000/trpc'

test('an error whose cause has an HTTP status means that no location router is at the URL, whatever its sentence', () => {
  const error = new LocationError('misconfigured', 'Any sentence.', { cause: { code: 404 } })
  expect(failureOf(error, url).message).toMatch(notHere)
})

test('an error whose cause has a code of Node, or no cause, keeps its own sentence', () => {
  for (const cause of [{ code: 'EADDRINUSE' }, undefined]) {
    const error = new LocationError('misconfigured', 'No Hereabouts router answered, or so it says.', { cause })
    expect(failureOf(error, url).message).toBe(error.message)
  }
})

test('a taken port and a wrong URL are told apart by cause.code', async () => {
  await using taken = await serveLocations()
  const cannotListen = await serveLocations({ port: taken.port }).catch((error: unknown) => error)
  expect(cannotListen).toMatchObject({ code: 'misconfigured', cause: { code: 'EADDRINUSE' } })

  await using other = await listening(createServer((_, response) => void response.writeHead(404).end('<h1>No.</h1>')))
  const client = createLocationClient<LocationRouter<RoomTypes>>({ url: other.url })
  const room = client.watch('r')
  const status = await new Promise((resolve) => {
    room.subscribe(() => room.status.state === 'waiting' && resolve(room.status))
  })
  expect(status).toMatchObject({ error: { code: 'misconfigured', cause: { code: 404 } } })
  await client.close()
})

test("a 404 in an app's own words that contains no tRPC code is not taken for an answer of a location router", async () => {
  const body = JSON.stringify({ error: { message: 'Gone fishing.' } })
  await using other = await listening(
    createServer((_, response) => void response.writeHead(404, { 'content-type': 'application/json' }).end(body)),
  )
  const target = { url: other.url, header: {}, timeout: 5 }
  await expect(mutate(target, 'postLocation', { room: 'r' })).rejects.toThrow(notHere)
})
