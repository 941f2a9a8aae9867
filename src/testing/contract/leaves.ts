import { demand, isSame, passing } from './demand.js'
import { Viewer } from './viewer.js'
import { newKey, type Wire } from './http-client.js'

/** Cases about leaving, and about posts that arrive late (room rules 2 and 3). */
export const leaveCases = {
  async 'a connection that left stays gone, whatever posts arrive late'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1 })
    const reply = await wire.leave({ room, connectionKey, seq: 1 })
    demand(reply.outcome === 'left', 'leaveRoom without grace is answered left.', reply)
    for (const seq of [0, 1, 2, 1_000, undefined]) {
      const { outcome } = await wire.post({ room, connectionKey, ...(seq !== undefined && { seq }) })
      demand(outcome === 'left', 'room rule 2: a post after the leave is answered left, whatever its seq.', {
        seq,
        outcome,
      })
    }
    await isEmpty(wire, room)
  },

  async 'a leave that overtakes the first post keeps the connection out'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const before = viewer.view.id
    const reply = await wire.leave({ room, connectionKey, seq: 1 })
    demand(reply.outcome === 'left', 'a leave of an unknown connection is answered left.', reply)
    const late = await wire.post({ room, connectionKey, seq: 1 })
    demand(late.outcome === 'left', 'room rule 2: a leave may overtake the post.', late)
    await isEmpty(wire, room)
    const { id } = await wire.get({ room })
    demand(id === before, 'viewers are not told of a connection that was never shown.', { id, before })
  },

  async 'a repeated leave is answered left'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1 })
    await wire.leave({ room, connectionKey })
    const again = await wire.leave({ room, connectionKey })
    demand(again.outcome === 'left', 'a leave may be repeated.', again)
  },

  async 'a caller that left may come back with a new key'(wire: Wire) {
    const room = wire.newRoom()
    await wire.leave({ room, connectionKey: newKey() })
    const { outcome } = await wire.post({ room, connectionKey: newKey(), seq: 1 })
    demand(outcome === 'applied', 'a new key is a new connection.', outcome)
  },

  async 'a newer post within the grace period undoes the leave, and viewers are told nothing'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { graceMaxMs } = wire.timing
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    await using viewer = await Viewer.see(wire, { room })
    const reply = await wire.leave({ room, connectionKey, seq: 1, graceMs: graceMaxMs })
    demand(reply.outcome === 'leaving', 'a leave with grace is answered leaving.', reply)
    const back = await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    demand(back.outcome === 'applied', 'room rule 3: a connection is present until its grace period ends.', back)
    await passing(2 * graceMaxMs)
    const { event } = await wire.get({ room })
    const isThere = event.type === 'snapshot' && event.connections[0]?.connectionId === connectionId
    demand(isThere, 'room rule 3: a newer post undoes a leave with grace.', event)
    const first = await viewer.change()
    const rule = 'room rule 3: viewers are not told of a leave that was undone.'
    demand(first.event.type === 'changes' && !first.event.left && !first.event.entered, rule, first)
  },

  async 'a post with an equal seq does not undo a leave with grace'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { graceMaxMs, patienceMs } = wire.timing
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    await using viewer = await Viewer.see(wire, { room })
    await wire.leave({ room, connectionKey, seq: 1, graceMs: graceMaxMs })
    const { outcome } = await wire.post({ room, connectionKey, seq: 1 })
    demand(outcome === 'same' || outcome === 'left', 'an equal seq of a leaving connection is answered same.', outcome)
    const rule = 'room rule 3: only a post with a higher seq undoes a leave.'
    await viewer.until(rule, () => !viewer.get(connectionId), graceMaxMs + patienceMs)
  },

  async 'a grace period lasts at most graceMaxMs, and the connection has then left'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { graceMaxMs, patienceMs, leaseMaxMs } = wire.timing
    await wire.post({ room, connectionKey, seq: 1, leaseMs: leaseMaxMs })
    await using viewer = await Viewer.see(wire, { room })
    await wire.leave({ room, connectionKey, seq: 1, graceMs: 1_000 * leaseMaxMs })
    const { event } = await viewer.change(graceMaxMs + patienceMs, 'room rule 3: graceMs is clamped to graceMaxMs.')
    const left = event.type === 'changes' ? event.left?.[0] : undefined
    demand(left?.reason === 'left', 'room rule 3: when its grace period ends, the connection has left.', event)
    const { outcome } = await wire.post({ room, connectionKey, seq: 9 })
    demand(outcome === 'left', 'room rule 3: after the grace period, every post is answered left.', outcome)
  },

  async 'opening a stream does not undo a leave with grace'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    const { graceMaxMs, patienceMs } = wire.timing
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    await wire.leave({ room, connectionKey, seq: 1, graceMs: graceMaxMs })
    await using viewer = await Viewer.see(wire, { room, connectionKey })
    const rule = 'room rule 3: opening a stream does not undo a leave.'
    await viewer.until(rule, () => !viewer.get(connectionId), graceMaxMs + patienceMs)
  },
}

async function isEmpty(wire: Wire, room: string): Promise<void> {
  const { event } = await wire.get({ room })
  demand(event.type === 'snapshot' && isSame(event.connections, []), 'a connection that left is not shown.', event)
}
