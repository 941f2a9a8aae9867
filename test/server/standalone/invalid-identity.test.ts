import { serveLocations } from 'hereabouts/testing'
import { expect, test } from 'vitest'
import { rawSocket } from '../../support/clients/raw-socket.js'
import { stockClient } from '../../support/clients/stock-client.js'
import { raw } from '../../support/network/raw.js'

test('an identity that cannot be read is answered 500 by every kind of call, logged once, and ends nothing', async () => {
  const lines: string[] = []
  const logger = { info() {}, warn() {}, error: (message: string) => void lines.push(message) }
  const identity = {
    get memberId(): string {
      throw new Error('the password is swordfish')
    },
  }
  const options = { logger, webSocket: true, identify: () => identity, authorize: () => true }
  await using server = await serveLocations(options)
  const client = stockClient(server.url)
  const refusal = {
    data: { code: 'INTERNAL_SERVER_ERROR', httpStatus: 500 },
    message: 'misconfigured: identify() returned an invalid identity: reading it threw.',
  }
  for (let i = 0; i < 2; i++) {
    await expect(client.postLocation.mutate({ room: 'r', location: null })).rejects.toMatchObject(refusal)
    await expect(client.getLocations.query({ room: 'r' })).rejects.toMatchObject(refusal)
  }
  const stream = await raw(`${server.url}/onLocation?input=${encodeURIComponent('{"room":"r"}')}`)
  expect(stream.body).toContain('event: serialized-error')
  expect(stream.body).toContain(refusal.message)
  using socket = await rawSocket(server.url).opened()
  socket.send({ id: 1, method: 'query', params: { path: 'getLocations', input: { room: 'r' } } })
  const answer = await socket.find('the call is answered', ({ id }) => id === 1)
  expect(answer['error']).toMatchObject(refusal)
  expect(lines).toEqual(['identify() returned an invalid identity'])
  expect(stream.body + JSON.stringify(answer)).not.toContain('swordfish')
})
