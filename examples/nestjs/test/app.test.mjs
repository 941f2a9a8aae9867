import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createLocationClient } from 'hereabouts/client'
import { locationContract } from 'hereabouts/testing'
import { createApp } from '../dist/app.js'
import { createLocations } from '../dist/locations.js'

// All timing runs twenty times as fast as usual, and limits allow one member to run the whole contract.
const most = 10_000
const limits = {
  postBurst: most,
  readBurst: most,
  leaveBurst: most,
  connectionBurst: most,
  streamBurst: most,
  memberRooms: most,
  memberStreams: most,
}
const locations = createLocations({
  timing: { scale: 1 / 20, leaseMinMs: 500, graceMaxMs: 1_000, requestMs: 20_000 },
  limits,
})
const app = await createApp(locations)
await app.listen(0, '127.0.0.1')
const url = `${await app.getUrl()}/trpc`
after(() => app.close())

const as = (name) => ({ url, headers: { authorization: `Bearer ${name}` } })
const cell = (row) => ({ sheet: 'Q3', row, col: 2 })

describe('the protocol contract in a Nest app', { concurrency: 8 }, () => {
  const timing = { leaseMinMs: 500, leaseMaxMs: 15_000, closedMs: 750, graceMaxMs: 1_000, patienceMs: 10_000 }
  const target = { ...as('Ada'), location: cell, badLocation: cell(-1), timing }
  for (const { name, run } of locationContract(target)) test(name, run)
})

describe('a Nest app with a guard', () => {
  test('the user of the guard determines the memberId and the profile, whatever the caller posts', async () => {
    const client = createLocationClient(as('Grace'))
    const room = client.join('lobby', { location: cell(1), profile: { name: 'Somebody else' } })
    await room.flush()
    const [grace] = await locations.hub.room('lobby').members()
    assert.deepEqual([grace?.memberId, grace?.profile], ['grace', { name: 'Grace' }])
    await client.close()
  })

  test('a call without a token is answered 401 in the form of Nest', async () => {
    const response = await fetch(`${url}/getLocations?input=${encodeURIComponent('{"room":"lobby"}')}`)
    assert.equal(response.status, 401)
    assert.match((await response.json()).message, /Send a token/)
  })

  test('a user whom authorize refuses cannot watch a room', async () => {
    const client = createLocationClient(as('Eve'))
    await assert.rejects(client.watch('@ada/diary').ready(), { code: 'forbidden' })
    await client.close()
  })
})

test('a member who joins sees the others at once, and a member whose client closes leaves the room', async () => {
  const [ada, bob] = [createLocationClient(as('Ada')), createLocationClient(as('Bob'))]
  const here = ada.join('sheet-1', { location: cell(4) })
  await Promise.all([here.flush(), here.ready()])
  const there = bob.join('sheet-1')
  await there.ready()
  assert.deepEqual(
    there.others.map(({ memberId, location }) => [memberId, location]),
    [['ada', cell(4)]],
  )
  const left = new Promise((resolve) => there.on('left', ({ member }) => resolve(member.memberId)))
  await ada.close()
  assert.equal(await left, 'ada')
  await bob.close()
})

test('closing the app ends the open location streams first', async () => {
  const other = await createApp(createLocations({ timing: { drainMs: 50 } }))
  await other.listen(0, '127.0.0.1')
  const client = createLocationClient({ ...as('Ada'), url: `${await other.getUrl()}/trpc` })
  const room = client.join('sheet-2')
  await room.ready()
  await other.close()
  await client.close()
})
