import { initTRPC } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { expect, onTestFinished, test } from 'vitest'

const t = initTRPC.create()

test('a hub with `profile: false` refuses posts that carry a profile and shows none', async () => {
  const hub = createLocationHub({ location: cellLocation, profile: false })
  onTestFinished(() => hub.close())
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true }))
  const caller = router.createCaller({})
  const profile = { name: 'Ada' } as never
  await expect(caller.postLocation({ room: 'a', location: null, profile })).rejects.toThrow(/profile/)
  await expect(hub.room('a').post({ memberId: 'bot', location: null, profile })).rejects.toMatchObject({
    code: 'bad-input',
  })
  await caller.postLocation({ room: 'a', location: null })
  expect(await hub.room('a').members()).toMatchObject([{ profile: null }])
})
