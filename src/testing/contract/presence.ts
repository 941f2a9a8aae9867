import { applyEvent, View, type Connection } from '../../shared/index.js'
import { demand, isSame } from './demand.js'
import { newKey, type Wire } from './http-client.js'
import { connectionsIn, Viewer } from './viewer.js'

/**
 * Cases about presence values, which are posted whole, sent by key, and bounded in size. They need a target with
 * presence values.
 */
export const presenceCases = {
  async 'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out'(wire: Wire) {
    const presence = wire.target.presence!
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const lists = 'hello lists presence in features when the server has presence values.'
    demand(viewer.hello.features?.includes('presence'), lists, viewer.hello)
    const shows = async (rule: string, location: number, value: number) => {
      const holds = ({ location: at }: Connection) => isSame(at, wire.location(location))
      await viewer.until(
        rule,
        () => viewer.connections.some((each) => holds(each) && isSame(each.presence, presence(value))),
        wire.timing.patienceMs,
      )
    }
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1), presence: presence(1) })
    await shows('a connection that enters is shown with its presence value.', 1, 1)
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    await shows('a post without a presence value keeps the one before.', 2, 1)
    await wire.post({ room, connectionKey, seq: 3, location: wire.location(2), presence: presence(2) })
    await shows('a frame carries the changed presence value.', 2, 2)
    const shown = await connectionsIn(wire, room)
    demand(isSame(shown[0]?.presence, presence(2)), 'a snapshot carries the posted presence value.', shown)
  },

  async 'frames that change or remove keys of a presence value lead to the same view as a snapshot'(wire: Wire) {
    const presence = wire.target.presence!
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const late = new View()
    const [one, two] = [presence(1), presence(2)]
    const values = [two, {}, one, two, {}, two, one]
    for (const [i, value] of values.entries()) {
      await wire.post({ room, connectionKey, seq: i + 1, presence: value })
      await viewer.change()
      const shown = await connectionsIn(wire, room)
      const view = viewer.connections
      demand(isSame(view, shown), 'the frames of a presence value lead to the view of the snapshot.', { view, shown })
      const isShown = isSame(shown[0]?.presence ?? {}, value)
      demand(isShown, 'a presence value replaces the one before; {} is the value of none.', { value, shown })
      // The view `late` is updated at every second version only, so it gets merged frames.
      if (i % 2 === 1) continue
      await catchUp(wire, room, late)
      const merged = [...late.connections.values()]
      demand(isSame(merged, shown), 'a merged frame leads to the view of the snapshot.', { merged, shown })
    }
  },

  async 'a presence value is an object of at most 32 keys and 2 KiB'(wire: Wire) {
    const presence = wire.target.presence!
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1, presence: presence(1) })
    const before = await connectionsIn(wire, room)
    const post = (value: unknown, seq = 2) =>
      wire.mutate('postLocation', { room, connectionKey, seq, location: wire.location(0), presence: value })
    for (const value of [[], 'text', 7, true, null]) {
      const { status, refusal } = await post(value)
      const rule = 'a presence value that is not an object is answered BAD_REQUEST.'
      demand(refusal?.code === 'BAD_REQUEST', rule, { value, status, refusal })
    }
    const after = await connectionsIn(wire, room)
    demand(isSame(before, after), 'a presence value that is refused changes nothing.', { before, after })
    const keys = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 0]))
    for (const [i, value] of [keys, { text: 'x'.repeat(2_048) }].entries()) {
      const { refusal } = await post(value, i + 2)
      const [shown] = await connectionsIn(wire, room)
      // If the post was not refused, the schema has dropped the keys that it does not know.
      const isBounded = refusal ? isSame(shown, before[0]) : !isSame(shown?.presence, value)
      demand(isBounded, 'a presence value of more than 32 keys or 2 KiB is never shown.', { refusal, shown })
      if (refusal)
        demand(/^(BAD_REQUEST|PAYLOAD_TOO_LARGE)$/.test(refusal.code), 'an oversized value is bad input.', refusal)
    }
  },
}

/** Brings a view up to date with one query: a snapshot at first, later the changes since the last query. */
async function catchUp(wire: Wire, room: string, view: View): Promise<void> {
  const { id, event } = await wire.get({ room, lastEventId: view.id })
  applyEvent(view, id, event)
}
