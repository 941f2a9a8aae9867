import { applyEvent, View } from '../../shared/index.js'
import { CaseSkipped, demand, isSame } from './demand.js'
import { newKey, type Answer, type Wire } from './http-client.js'
import { connectionsIn, Viewer } from './viewer.js'

/** Presence values: posted whole, sent by key, bounded. */
export const presenceCases = {
  async 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out'(wire: Wire) {
    const presence = presenceOf(wire)
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const lists = 'hello lists presence in features when the server has presence values.'
    demand(viewer.hello.features?.includes('presence'), lists, viewer.hello)
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1), presence: presence(1) })
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    await wire.post({ room, connectionKey, seq: 3, location: wire.location(2), presence: presence(2) })
    const seen: unknown[] = []
    while (!isSame(seen.at(-1), presence(2))) {
      await viewer.change()
      seen.push(viewer.connections[0]?.presence)
      const isExpected = isSame(seen.at(-1), presence(1)) || isSame(seen.at(-1), presence(2))
      demand(isExpected, 'a frame carries the posted presence value, and a post without one keeps it.', seen)
    }
    const shown = await connectionsIn(wire, room)
    demand(isSame(shown[0]?.presence, presence(2)), 'a snapshot carries the posted presence value.', shown)
  },

  async 'changed and removed keys of a presence value lead to the view of the snapshot'(wire: Wire) {
    const presence = presenceOf(wire)
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const late = new View()
    for (const [i, value] of [presence(1), presence(2), presence(1), {}, presence(2)].entries()) {
      await wire.post({ room, connectionKey, seq: i + 1, presence: value })
      await viewer.change()
      const shown = await connectionsIn(wire, room)
      const view = viewer.connections
      demand(isSame(view, shown), 'the frames of a presence value lead to the view of the snapshot.', { view, shown })
      const isShown = isSame(shown[0]?.presence ?? {}, value)
      demand(isShown, 'a presence value replaces the one before; {} is the value of none.', { value, shown })
      // This view sees every second version, and so merged frames.
      if (i % 2 === 1) continue
      await catchUp(wire, room, late)
      const merged = [...late.connections.values()]
      demand(isSame(merged, shown), 'a merged frame leads to the view of the snapshot.', { merged, shown })
    }
  },

  async 'a presence value is an object of at most 32 keys and 2 KiB'(wire: Wire) {
    const presence = presenceOf(wire)
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1, presence: presence(1) })
    const before = await connectionsIn(wire, room)
    const post = (value: unknown) =>
      wire.mutate('postLocation', { room, connectionKey, seq: 2, location: wire.location(0), presence: value })
    for (const value of [[], 'text', 7, true, null]) isRefused(await post(value), value, ['BAD_REQUEST'])
    const keys = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 0]))
    // The app's schema may refuse these before the limits do.
    for (const value of [keys, { text: 'x'.repeat(2_048) }])
      isRefused(await post(value), value, ['BAD_REQUEST', 'PAYLOAD_TOO_LARGE'])
    const after = await connectionsIn(wire, room)
    demand(isSame(before, after), 'a presence value that is refused changes nothing.', { before, after })
  },
}

function presenceOf(wire: Wire): (n: number) => object {
  const { presence } = wire.target
  if (!presence) throw new CaseSkipped('the target has no presence(): its router has no presence schema.')
  return presence
}

/** Brings a view up to date by one event: a snapshot at first, later the changes since it was last here. */
async function catchUp(wire: Wire, room: string, view: View): Promise<void> {
  const { id, event } = await wire.get({ room, lastEventId: view.id })
  applyEvent(view, id, event)
}

function isRefused({ status, refusal }: Answer, value: unknown, codes: string[]): void {
  const rule = `a presence value out of bounds is answered ${codes.join(' or ')}.`
  demand(refusal && codes.includes(refusal.code), rule, { value, status, refusal })
}
