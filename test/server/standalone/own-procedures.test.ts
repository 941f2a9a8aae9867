import { createTRPCClient, httpLink } from '@trpc/client'
import { TRPCError } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'
import { createLocationServer } from 'hereabouts/server/standalone'
import { expect, test } from 'vitest'
import * as z from 'zod'

const location = cellLocation
const anonymous = true

test('procedures of the app are served beside the location procedures, typed, with the hub and the context', async () => {
  const server = createLocationServer({
    location,
    anonymous,
    procedures: ({ procedure, hub }) => ({
      people: procedure.input(z.string()).query(async ({ input, ctx }) => {
        const members = await hub.room(input).members()
        return { ip: ctx.ip, rows: members.map((member) => member.location?.row) }
      }),
      refuse: procedure.mutation(() => {
        throw new TRPCError({ code: 'CONFLICT', message: 'Somebody else was faster.' })
      }),
    }),
  })
  const { trpcUrl } = await server.listen(0)
  const client = createLocationClient<typeof server.router>({ url: trpcUrl })
  const api = createTRPCClient<typeof server.router>({ links: [httpLink({ url: trpcUrl })] })
  const room = client.join('sheet', { profile: { name: 'Ada' } })
  room.post({ sheet: 'Q3', row: 4, col: 2 })
  await room.flush()
  expect(await api.people.query('sheet')).toEqual({ ip: '127.0.0.1', rows: [4] })
  await expect(api.refuse.mutate()).rejects.toMatchObject({
    message: 'Somebody else was faster.',
    data: { code: 'CONFLICT' },
  })
  await client.close()
  await server.close()
})

test('a procedure of the app with the name of a location procedure is `misconfigured`', () => {
  const create = () =>
    createLocationServer({
      location,
      anonymous,
      procedures: ({ procedure }) => ({ leaveRoom: procedure.query(() => 'bye') }),
    })
  expect(create).toThrow('procedures: leaveRoom is a location procedure: choose another name.')
})
