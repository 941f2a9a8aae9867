import { createLocationClient, type Room } from 'hereabouts/client'
import { serveLocations } from 'hereabouts/testing'
import { expect, onTestFinished, test } from 'vitest'
import type { CellTypes } from '../support/cell-types.js'
import { cell, type Cells } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

/** Starts a server. Returns a function that opens a window (one client) of a member. */
async function house() {
  const served = await serveLocations({
    identify: ({ ctx }) => ({ memberId: ctx.headers.get('x-member')! }),
    authorize: () => true,
  })
  onTestFinished(() => served.close())
  const open = async (member: string, row: number | null): Promise<Room<CellTypes>> => {
    const client = createLocationClient<Cells>({ url: served.url, headers: { 'x-member': member } })
    onTestFinished(() => client.close())
    const room = client.join('sheet', { location: row === null ? null : cell(row) })
    await Promise.all([room.ready(), room.flush()])
    return room
  }
  return { served, open }
}

test('a window that becomes idle does not move its member back: the window that was used last speaks', async () => {
  const { served, open } = await house()
  const forgotten = await open('ada', 1)
  const used = await open('ada', 2)
  const viewer = await open('bob', null)
  const heard: string[] = []
  viewer.on('moved', ({ member }) => heard.push(member.memberId))
  forgotten.update({ activity: 'idle' })
  await until('the window is idle', () => viewer.other('ada')?.connections.some(({ activity }) => activity === 'idle'))
  used.update({ profile: { name: 'Ada' } })
  await until('the profile arrived', () => viewer.other('ada')?.profile?.name === 'Ada')
  expect(heard).toEqual([])
  expect(viewer.other('ada')).toMatchObject({ location: cell(2), activity: 'active' })
  expect(used.self?.location).toEqual(cell(2))
  expect(forgotten.self?.location).toEqual(cell(2))
  const [ada] = (await served.hub.room('sheet').members()).filter(({ memberId }) => memberId === 'ada')
  expect(ada).toMatchObject({ location: cell(2), activity: 'active', lastActiveAt: viewer.other('ada')!.lastActiveAt })
  forgotten.update({ activity: 'active' })
  await until('the member is back at the first window', () => viewer.other('ada')?.location?.row === 1)
  expect(heard).toEqual(['ada'])
})
