import { CaseSkipped, demand, isSame } from './demand.js'
import { connectionsIn, Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** Cases about accepted posts and their outcomes (room rules 1 and 6). */
export const postCases = {
  async 'a post needs only a room and a location'(wire: Wire) {
    const room = wire.newRoom()
    const first = await wire.post({ room, location: wire.location(1), leaseMs: undefined })
    demand(first.outcome === 'applied', 'the first post of a connection is applied.', first)
    const { connectionKey } = first
    if (connectionKey !== undefined)
      demand(/^[\w-]{22}$/.test(connectionKey), 'a key is 128 random bits as 22 base64url characters.', first)
    // A reply without a key belongs to the member's one default connection.
    const next = { room, location: wire.location(2), ...(connectionKey !== undefined && { connectionKey }) }
    const second = await wire.post(next)
    demand(second.outcome === 'applied', 'a post without a seq gets the next one.', second)
    demand(second.seq > first.seq, 'a post without a seq gets the next one.', { first, second })
    const rule = 'posts with the key of the reply, or of one identified member, belong to one connection.'
    demand(second.connectionId === first.connectionId, rule, { first, second })
    const connections = await connectionsIn(wire, room)
    demand(connections.length === 1 && isSame(connections[0]!.location, wire.location(2)), rule, connections)
  },

  async 'each anonymous post without a key makes a new connection'(wire: Wire) {
    const room = wire.newRoom()
    const one = await wire.post({ room })
    if (one.connectionKey === undefined) throw new CaseSkipped('the server identifies this caller.')
    const other = await wire.post({ room })
    demand(one.connectionId !== other.connectionId, 'an anonymous post without a key makes a new connection.', {
      one,
      other,
    })
  },

  async 'a newer seq is answered applied, an equal one same, a lower one stale'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const post = (seq: number, n: number) => wire.post({ room, connectionKey, seq, location: wire.location(n) })
    const said = [await post(5, 5), await post(5, 6), await post(4, 7), await post(0, 8), await post(6, 9)]
    const outcomes = said.map(({ outcome }) => outcome)
    const rule = 'room rule 1: a newer seq is answered applied, an equal one same, a lower one stale.'
    demand(isSame(outcomes, ['applied', 'same', 'stale', 'stale', 'applied']), rule, outcomes)
    const seqs = said.map(({ seq }) => seq)
    demand(isSame(seqs, [5, 5, 5, 5, 6]), 'room rule 1: a reply carries the stored seq.', seqs)
    const [connection] = await connectionsIn(wire, room)
    demand(
      isSame(connection?.location, wire.location(9)),
      'room rule 1: only a newer seq changes the room.',
      connection,
    )
  },

  async 'a post with an equal or lower seq is never shown'(wire: Wire) {
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
    const rule = 'a viewer never sees a member jump back to an older location.'
    demand(isSame(locations, [wire.location(3), wire.location(4)]), rule, locations)
  },

  async 'a post with unchanged content makes no frame, and its seq is stored'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const post = (seq: number, n: number) => wire.post({ room, connectionKey, seq, location: wire.location(n) })
    await post(1, 1)
    const before = (await wire.get({ room })).id
    const again = await post(7, 1)
    demand(
      again.outcome === 'same',
      'room rule 6: a post with unchanged location, profile and activity is answered same.',
      again,
    )
    demand(again.seq === 7, 'room rule 6: the seq of an unchanged post is stored.', again)
    demand(again.id === undefined, 'a reply has an id only with applied.', again)
    const late = await post(6, 2)
    demand(late.outcome === 'stale', 'room rule 6: the seq of an unchanged post is stored.', late)
    const after = (await wire.get({ room })).id
    demand(after === before, 'room rule 6: a post that changes nothing makes no frame.', { before, after })
  },

  async 'locations are equal when their canonical JSON is equal'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    const input = { room, connectionKey, seq: 2, location: backwards(wire.location(1)) }
    const { data, refusal } = await wire.mutate('postLocation', wire.written(input, 2))
    const rule = 'the order of keys and white space do not change a location.'
    demand((data as { outcome?: string } | undefined)?.outcome === 'same', rule, { data, refusal })
  },

  async 'a location of null is shown as null'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const first = await wire.post({ room, connectionKey, seq: 1, location: null })
    demand(first.outcome === 'applied', 'a post with location: null makes its connection present.', first)
    const [connection] = await connectionsIn(wire, room)
    demand(connection && connection.location === null, 'location: null is shown as null.', connection)
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(1) })
    await viewer.change()
    await wire.post({ room, connectionKey, seq: 3, location: null })
    const { event } = await viewer.change()
    const change = event.type === 'changes' && event.changed?.[0]
    demand(change && change.location === null, 'a post from a location to null is a change to null.', event)
  },

  async 'a profile or an activity that a post leaves out is unchanged'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { profile } = wire.target
    const own = { activity: 'idle' as const, ...(profile && { profile: profile(1) }) }
    await wire.post({ room, connectionKey, seq: 1, location: wire.location(1), ...own })
    const [before] = await connectionsIn(wire, room)
    demand(before?.activity === 'idle', 'a posted activity is shown.', before)
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    const [after] = await connectionsIn(wire, room)
    demand(after?.activity === 'idle', 'an activity that is left out is unchanged.', after)
    demand(isSame(after.profile, before.profile), 'a profile that is left out is unchanged.', { before, after })
    const { outcome } = await wire.post({ room, connectionKey, seq: 3, location: wire.location(2), activity: 'away' })
    demand(outcome === 'applied', 'a post with another activity is applied.', outcome)
  },

  async 'the id of a reply is the id of the first frame that shows the post'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    const reply = await wire.post({ room, connectionKey: newKey(), seq: 1 })
    const { id } = await viewer.change()
    demand(reply.id === id, 'the id of an applied reply is the id of the frame that shows the post.', {
      reply,
      frame: id,
    })
  },

  async 'connectionId is a hash of the connectionKey, and no viewer is sent a key'(wire: Wire) {
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
    demand(!seen.includes(connectionKey), 'no viewer is sent a key.', seen)
  },

  async 'connections that post with the same memberKey belong to one member'(wire: Wire) {
    const room = wire.newRoom()
    const memberKey = newKey()
    const one = await wire.post({ room, memberKey, connectionKey: newKey(), seq: 1 })
    const other = await wire.post({ room, memberKey, connectionKey: newKey(), seq: 1 })
    demand(one.memberId === other.memberId, 'connections with one memberKey have one memberId.', { one, other })
    demand(one.connectionId !== other.connectionId, 'each connectionKey has its own connectionId.', { one, other })
    const connections = await connectionsIn(wire, room)
    demand(connections.length === 2, 'each connection of a member is shown.', connections)
  },

  async 'concurrent posts converge to the newest seq, and each reply names a version that viewers reach'(wire: Wire) {
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
      'a viewer converges to the newest location, in whatever order posts arrive.',
      () => isSame(viewer.connections[0]?.location, wire.location(20)),
      wire.timing.patienceMs,
    )
    const rule = 'a reply never names a version that no viewer reaches.'
    demand(idOf(viewer.view.id!).version >= newest, rule, { held: viewer.view.id, newest })
  },
}

/** Cases about profiles. They need a target with profiles. */
export const profileCases = {
  async 'a posted profile is shown to viewers'(wire: Wire) {
    const profile = wire.target.profile!
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room, connectionKey, seq: 1, profile: profile(1) })
    await viewer.change()
    demand(isSame(viewer.connections[0]?.profile, profile(1)), 'a posted profile is shown.', viewer.connections)
    await wire.post({ room, connectionKey, seq: 2, profile: profile(2) })
    const { event } = await viewer.change()
    const change = event.type === 'changes' ? event.changed?.[0] : undefined
    demand(isSame(change?.profile, profile(2)), 'a changed profile is in changed.', event)
  },
}

/** Returns the same value with its keys in reverse order. */
function backwards(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(backwards)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, backwards(item)]),
  )
}
