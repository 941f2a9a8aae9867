import type { Connection } from '../../shared/index.js'
import { demand, isSame } from './demand.js'
import { Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** Who may speak, and what it comes to (room rules 1 and 6). */
export const postCases = {
  async 'a post of { room, location } is enough'(wire: Wire) {
    const room = wire.newRoom()
    const first = await wire.post({ room, location: wire.location(1), leaseMs: undefined })
    demand(first.outcome === 'applied', 'the first post of a connection is applied.', first)
    const { connectionKey } = first
    if (connectionKey !== undefined)
      demand(/^[\w-]{22}$/.test(connectionKey), 'a key is 128 random bits as 22 base64url characters.', first)
    // Without a key in the reply, it is the member's one default connection.
    const next = { room, location: wire.location(2), ...(connectionKey !== undefined && { connectionKey }) }
    const second = await wire.post(next)
    demand(second.outcome === 'applied', 'without a seq, a post is the next one.', second)
    demand(second.seq > first.seq, 'without a seq, a post is the next one.', { first, second })
    const rule = 'the key of the reply, or the member, keeps posts to one connection.'
    demand(second.connectionId === first.connectionId, rule, { first, second })
    const connections = await peopleIn(wire, room)
    demand(connections.length === 1 && isSame(connections[0]!.location, wire.location(2)), rule, connections)
  },

  async 'the first posts of two strangers are two connections'(wire: Wire) {
    const room = wire.newRoom()
    const one = await wire.post({ room })
    if (one.connectionKey === undefined) return
    const other = await wire.post({ room })
    demand(one.connectionId !== other.connectionId, 'a post without a key makes a connection.', { one, other })
  },

  async 'a newer seq is applied, an equal one is the same, a lower one is stale'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const post = (seq: number, n: number) => wire.post({ room, connectionKey, seq, location: wire.location(n) })
    const said = [await post(5, 5), await post(5, 6), await post(4, 7), await post(0, 8), await post(6, 9)]
    const outcomes = said.map(({ outcome }) => outcome)
    const rule = 'room rule 1: newer is applied, equal is same, lower is stale.'
    demand(isSame(outcomes, ['applied', 'same', 'stale', 'stale', 'applied']), rule, outcomes)
    const seqs = said.map(({ seq }) => seq)
    demand(isSame(seqs, [5, 5, 5, 5, 6]), 'room rule 1: a reply carries the seq that is stored.', seqs)
    const [connection] = await peopleIn(wire, room)
    demand(isSame(connection?.location, wire.location(9)), 'room rule 1: only a newer seq may speak.', connection)
  },

  async 'what came too late is never shown'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room, connectionKey, seq: 3, location: wire.location(3) })
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    await wire.post({ room, connectionKey, seq: 3, location: wire.location(1) })
    await wire.post({ room, connectionKey, seq: 4, location: wire.location(4) })
    const locations = []
    while (!isSame(locations.at(-1), wire.location(4))) {
      await viewer.change()
      locations.push(viewer.connections[0]?.location)
    }
    const rule = 'a viewer never sees a member jump back.'
    demand(isSame(locations, [wire.location(3), wire.location(4)]), rule, locations)
  },

  async 'a post that says nothing new makes no frame, and counts'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const post = (seq: number, n: number) => wire.post({ room, connectionKey, seq, location: wire.location(n) })
    await post(1, 1)
    const before = (await wire.get({ room })).id
    const again = await post(7, 1)
    demand(again.outcome === 'same', 'room rule 6: the same location, profile and activity is same.', again)
    demand(again.seq === 7, 'room rule 6: its seq is stored.', again)
    demand(again.id === undefined, 'an id comes with applied only.', again)
    const late = await post(6, 2)
    demand(late.outcome === 'stale', 'room rule 6: its seq is stored.', late)
    const after = (await wire.get({ room })).id
    demand(after === before, 'room rule 6: what changes nothing makes no frame.', { before, after })
  },

  async 'equal is what is equal as canonical JSON'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    const input = { room, connectionKey, seq: 2, location: backwards(wire.location(1)) }
    const { data, refusal } = await wire.mutate('postLocation', wire.written(input, 2))
    const rule = 'the order of keys and white space are nothing to a location.'
    demand((data as { outcome?: string } | undefined)?.outcome === 'same', rule, { data, refusal })
  },

  async 'null is a place too: in the room, nowhere in particular'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const first = await wire.post({ room, connectionKey, seq: 1, location: null })
    demand(first.outcome === 'applied', 'location: null makes present.', first)
    const [connection] = await peopleIn(wire, room)
    demand(connection && connection.location === null, 'location: null is shown as null.', connection)
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(1) })
    await viewer.change()
    await wire.post({ room, connectionKey, seq: 3, location: null })
    const { event } = await viewer.change()
    const change = event.type === 'changes' && event.changed?.[0]
    demand(change && change.location === null, 'going nowhere in particular is a change to null.', event)
  },

  async 'what a post leaves out stays as it was'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { profile } = wire.target
    const own = { activity: 'idle' as const, ...(profile && { profile: profile(1) }) }
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1), ...own })
    const [before] = await peopleIn(wire, room)
    demand(before?.activity === 'idle', 'a post says the activity.', before)
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    const [after] = await peopleIn(wire, room)
    demand(after?.activity === 'idle', 'activity left out means: as before.', after)
    demand(isSame(after.profile, before.profile), 'profile left out means: as before.', { before, after })
    const { outcome } = await wire.post({ room, connectionKey, seq: 3, location: wire.location(2), activity: 'away' })
    demand(outcome === 'applied', 'another activity is a change.', outcome)
  },

  async 'profiles are shown'(wire: Wire) {
    const { profile } = wire.target
    if (!profile) return
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room, connectionKey, seq: 1, profile: profile(1) })
    await viewer.change()
    demand(isSame(viewer.connections[0]?.profile, profile(1)), 'a posted profile is shown.', viewer.connections)
    await wire.post({ room, connectionKey, seq: 2, profile: profile(2) })
    const { event } = await viewer.change()
    const change = event.type === 'changes' ? event.changed?.[0] : undefined
    demand(isSame(change?.profile, profile(2)), 'a profile that changed is in changed.', event)
  },

  async 'the id of a reply is the first that shows the post'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    const reply = await wire.post({ room, connectionKey: newKey(), seq: 1 })
    const { id } = await viewer.change()
    demand(reply.id === id, 'with applied comes the id of the frame that shows the post.', { reply, frame: id })
  },

  async 'ids are computed from keys, and no key can be had from an id'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`c:${connectionKey}`))
    const computed = btoa(String.fromCharCode(...new Uint8Array(hash, 0, 12)))
      .replace(/\+/g, '-')
      .replace(/\//g, '_')
    const rule = "connectionId is the first 96 bits of SHA-256('c:' + connectionKey) as base64url."
    demand(connectionId === computed, rule, { connectionId, computed })
    const seen = JSON.stringify(await wire.get({ room }))
    demand(!seen.includes(connectionKey), 'nobody is shown a key.', seen)
  },

  async 'one memberKey is one member with several connections'(wire: Wire) {
    const room = wire.newRoom()
    const memberKey = newKey()
    const one = await wire.post({ room, memberKey, connectionKey: newKey(), seq: 1 })
    const other = await wire.post({ room, memberKey, connectionKey: newKey(), seq: 1 })
    demand(one.memberId === other.memberId, 'a memberKey names a member.', { one, other })
    demand(one.connectionId !== other.connectionId, 'a connectionKey names a connection.', { one, other })
    const connections = await peopleIn(wire, room)
    demand(connections.length === 2, 'each connection is shown.', connections)
  },

  async 'frames keep to what an id promises under a flood of posts'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const seqs = Array.from({ length: 20 }, (_, i) => i + 1)
    const replies = await Promise.all(
      seqs.map((seq) => wire.post({ room, connectionKey, seq, location: wire.location(seq) })),
    )
    const applied = replies.filter(({ outcome }) => outcome === 'applied')
    const newest = Math.max(...applied.map(({ id }) => idOf(id!).version))
    await viewer.until(
      'the newest location wins, in whatever order posts came.',
      () => isSame(viewer.connections[0]?.location, wire.location(20)),
      wire.timing.patienceMs,
    )
    const rule = 'a reply never names a version that no viewer gets to.'
    demand(idOf(viewer.view.id!).version >= newest, rule, { held: viewer.view.id, newest })
  },
}

async function peopleIn(wire: Wire, room: string): Promise<Connection[]> {
  const { event } = await wire.get({ room })
  demand(event.type === 'snapshot', 'getLocations without an id answers a snapshot.', event)
  return event.connections
}

/** The same value with its keys the other way round. */
function backwards(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(backwards)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, backwards(item)]),
  )
}
