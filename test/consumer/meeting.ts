import { createLocationClient } from 'hereabouts/client'
import { appRouter, hub, server, type AppRouter, type ServerRouter } from './app.js'

const { trpcUrl } = await server.listen(0)
const ada = createLocationClient<ServerRouter>({ url: trpcUrl })
const grace = createLocationClient<ServerRouter>({ url: trpcUrl })
const here = ada.join('book', { profile: { name: 'Ada' } })
const there = grace.join('book')
const seen = new Promise<{ page: string; line: number } | null>((resolve) =>
  there.on('moved', ({ current }) => resolve(current)),
)
await Promise.all([here.flush(), there.ready()])
here.post({ page: 'intro', line: 4 })
console.log(JSON.stringify(await seen))
await Promise.all([ada.close(), grace.close()])
await server.close()

const caller = appRouter.createCaller({ user: 'ada' })
const { outcome, memberId } = await caller.locations.postLocation({ room: 'ada/1', location: { page: 'end', line: 1 } })
console.log(outcome, memberId)
await hub.close()

export function typed() {
  const client = createLocationClient<AppRouter>({ url: '/trpc', path: 'locations' })
  // @ts-expect-error: line is a number
  client.join('ada/1').post({ page: 'intro', line: 'four' })
  // @ts-expect-error: there is no such path
  createLocationClient<AppRouter, 'elsewhere'>({ url: '/trpc', path: 'elsewhere' })
}
