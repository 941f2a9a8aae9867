import { createServer } from 'node:http'
import type { RoomTypes } from 'hereabouts'
import { createLocationClient, LocationError } from 'hereabouts/client'
import type { LocationRouter } from 'hereabouts/server/standalone'
import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { failureOf } from '../../src/cli/failure.js'
import { mutate } from '../../src/cli/target.js'
import { listening } from '../support/network/listening.js'

/* The CLI recognizes errors by their codes and fields, never by the wording of a message. */

const notHere = /answers, but not as a location server/
const url = 'http://localhost:3000/trpc'

test('a misconfigured error whose cause has an HTTP status is printed as `answers, but not as a location server`, whatever its message', () => {
  const error = new LocationError('misconfigured', 'Any sentence.', { cause: { code: 404 } })
  expect(failureOf(error, url).message).toMatch(notHere)
})

test('a misconfigured error whose cause is a Node error, or that has no cause, is printed with its own message', () => {
  for (const cause of [{ code: 'EADDRINUSE' }, undefined]) {
    const error = new LocationError('misconfigured', 'No Hereabouts router answered, or so it says.', { cause })
    expect(failureOf(error, url).message).toBe(error.message)
  }
})

test('a taken port has the cause.code EADDRINUSE, and a wrong URL the cause.code 404', async () => {
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

test('a 404 whose JSON error has no tRPC code is reported as a server without a location router', async () => {
  const body = JSON.stringify({ error: { message: 'Gone fishing.' } })
  await using other = await listening(
    createServer((_, response) => void response.writeHead(404, { 'content-type': 'application/json' }).end(body)),
  )
  const target = { url: other.url, header: {}, timeout: 5 }
  await expect(mutate(target, 'postLocation', { room: 'r' })).rejects.toThrow(notHere)
})
