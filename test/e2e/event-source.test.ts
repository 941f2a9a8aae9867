import { EventSource } from 'eventsource'
import { applyEvent, View, type LocationEvent } from 'hereabouts'
import { serveLocations } from 'hereabouts/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { faultProxy, soonAgain } from '../support/network/fault-proxy.js'
import { cell, newKey, stockClient } from '../support/clients/stock-client.js'
import { Inbox, until } from '../support/until.js'
import type { CellTypes } from '../support/cell-types.js'

/* Reads streams with a standard EventSource, without tRPC's client. */

const server = await serveLocations({ timing: { scale: 1 / 20 } })
afterAll(() => server.close())

describe('a plain EventSource', () => {
  test('a plain EventSource reads the snapshot and the changes of a room', async () => {
    const room = 'plain'
    const client = stockClient(server.url)
    const { id } = await client.postLocation.mutate({ room, connectionKey: newKey(), location: cell(1) })
    using source = sourceOf(server.url, room)
    expect(JSON.parse((await source.messages.at(0)).data)).toMatchObject({ type: 'hello' })
    const snapshot = await source.messages.at(1)
    expect(snapshot.lastEventId).toBe(id)
    expect(JSON.parse(snapshot.data)).toMatchObject({ type: 'snapshot', connections: [{ location: cell(1) }] })
  })

  test(
    'a plain EventSource resumes with the Last-Event-ID header when it reconnects',
    { timeout: 60_000 },
    async () => {
      const asked: (string | undefined)[] = []
      await using proxy = await faultProxy(server.url, {
        open(call) {
          asked.push(call.headers['last-event-id']?.toString())
          return call
        },
        event: soonAgain,
      })
      const room = 'resumed'
      const client = stockClient(server.url)
      const connectionKey = newKey()
      for (const key of [connectionKey, newKey(), newKey(), newKey()])
        await client.postLocation.mutate({ room, connectionKey: key, seq: 1, location: cell(0), leaseMs: 15_000 })
      using source = sourceOf(proxy.url, room)
      const view = new View<CellTypes>()
      const told: string[] = []
      source.messages.all.forEach(take)
      source.listen(take)
      function take({ data, lastEventId }: MessageEvent<string>) {
        const event = JSON.parse(data) as LocationEvent<CellTypes>
        expect(applyEvent(view, lastEventId, event).outcome).not.toBe('diverged')
        if (event.type !== 'beat') told.push(event.type)
      }
      await until('the viewer shows all members', () => view.connections.size === 4)
      for (let seq = 2; seq <= 4; seq++) {
        const held = view.id
        proxy.cut()
        await client.postLocation.mutate({ room, connectionKey, seq, location: cell(seq), leaseMs: 15_000 })
        await until('the move is in sight', () =>
          [...view.connections.values()].some(({ location }) => location?.row === seq),
        )
        expect(asked.at(-1)).toBe(held)
      }
      expect(told).toEqual(['hello', 'snapshot', 'hello', 'changes', 'hello', 'changes', 'hello', 'changes'])
      expect(asked[0]).toBeUndefined()
    },
  )
})

function sourceOf(url: string, room: string) {
  const source = new EventSource(`${url}/onLocation?input=${encodeURIComponent(JSON.stringify({ room }))}`)
  const messages = new Inbox<MessageEvent<string>>()
  source.addEventListener('message', messages.put)
  return {
    messages,
    listen: (run: (message: MessageEvent<string>) => void) => source.addEventListener('message', run),
    [Symbol.dispose]: () => source.close(),
  }
}
