import type { Connection, LockLocationOutput } from '../../shared/index.js'
import { demand, isSame, passing } from './demand.js'
import { idOf, newKey, type Wire } from './http-client.js'
import { connectionsIn, Viewer } from './viewer.js'

/** Cases about locks, which allow only one connection to edit a place. They need a target with locks. */
export const lockCases = {
  async 'a locked place is answered taken to every other connection, and viewers see its holder'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    const { features, locks } = viewer.hello
    const lists = 'hello lists locks in features, and says how long they last, when places can be locked.'
    demand(features?.includes('locks') && locks && locks.lockMs > 0 && locks.idleMs > 0, lists, viewer.hello)
    const [one, other] = [await editor(wire, room), await editor(wire, room)]
    const fence = fenceOf(await one.lock(1), 'a free place is granted to the first connection that asks for it.')
    const taken = await other.lock(1)
    const rule = 'a place that somebody holds is answered taken, with its holder.'
    demand(isSame(taken, { outcome: 'taken', holder: one.names }), rule, taken)
    const isShown = ({ connectionId, locks: held }: Connection) =>
      connectionId === one.names.connectionId && isSame(held, [{ location: wire.location(0), fence }])
    await viewer.until('a frame shows a lock.', () => viewer.connections.some(isShown), wire.timing.patienceMs)
    const isAlone = (shown: Connection[]) => shown.filter(({ locks: held }) => held).length === 1 && shown.some(isShown)
    await eventually(wire, room, 'a snapshot shows locks.', isAlone)
    const version = idOf(viewer.view.id!).version
    demand(fence >= version, 'a fence is at least the version of the frame that shows it.', { fence, version })
    fenceOf(await other.lock(2, { location: wire.location(7) }), 'a lock leaves all other places free.')
  },

  async 'a repeated lock call is answered with the same fence, and a call with a lower lockSeq is stale'(wire: Wire) {
    const room = wire.newRoom()
    const one = await editor(wire, room)
    const fence = fenceOf(await one.lock(1), 'a free place is granted.')
    for (const lockSeq of [100, 100, 200]) {
      const again = await one.lock(lockSeq)
      demand(isSame(again, { outcome: 'locked', fence }), 'a repeated call is answered with the same fence.', again)
    }
    const late = await one.lock(199, { location: wire.location(1) })
    demand(late.outcome === 'stale', 'a lock call with a lower lockSeq is answered stale.', late)
    const unlock = await one.unlock(199, fence)
    demand(unlock.outcome === 'stale', 'an unlock with a lower lockSeq is answered stale.', unlock)
    await one.unlock(201, fence)
    const after = await one.lock(200)
    demand(after.outcome === 'stale', 'a call that arrives after the unlock leaves no lock behind.', after)
    await eventually(wire, room, 'a stale call changes nothing.', holdsNothing)
  },

  async 'an unlock with another fence changes nothing and is answered gone with the holder'(wire: Wire) {
    const room = wire.newRoom()
    const [one, other] = [await editor(wire, room), await editor(wire, room)]
    const fence = fenceOf(await one.lock(1), 'a free place is granted.')
    for (const gone of [await one.unlock(101, fence - 1), await other.unlock(101, fence)]) {
      const rule = 'an unlock with another fence, or of another connection, is answered gone with the holder.'
      demand(isSame(gone, { outcome: 'gone', holder: one.names }), rule, gone)
    }
    const unlocked = await one.unlock(102, fence)
    demand(
      isSame(unlocked, { outcome: 'unlocked' }),
      'an unlock with the fence of the lock is answered unlocked.',
      unlocked,
    )
    const nobody = await one.unlock(103, fence)
    demand(isSame(nobody, { outcome: 'gone' }), 'an unlock of a free place is answered gone, without a holder.', nobody)
    const next = fenceOf(await other.lock(102), 'a place that was unlocked is free.')
    demand(next > fence, 'the fences of a place strictly increase.', { fence, next })
  },

  async 'the locks of a connection end in the frame in which it leaves'(wire: Wire) {
    const room = wire.newRoom()
    const [one, other] = [await editor(wire, room), await editor(wire, room)]
    fenceOf(await one.lock(1), 'a free place is granted.')
    await using viewer = await Viewer.see(wire, { room })
    await wire.leave({ room, connectionKey: one.connectionKey })
    const { event } = await viewer.change()
    const [left] = (event.type === 'changes' && event.left) || []
    demand(left?.connectionId === one.names.connectionId, 'a connection leaves in one frame.', event)
    await eventually(wire, room, 'a lock ends when its connection leaves.', holdsNothing)
    fenceOf(await other.lock(1), 'the places of a connection that has left are free at once.')
  },

  async 'a leaving connection gets no lock, and its place is free for another connection of the member'(wire: Wire) {
    const room = wire.newRoom()
    const memberKey = newKey()
    const [one, other] = [await editor(wire, room, memberKey), await editor(wire, room, memberKey)]
    const fence = fenceOf(await one.lock(1), 'a free place is granted.')
    const { graceMaxMs: graceMs } = wire.timing
    await wire.leave({ room, connectionKey: one.connectionKey, seq: 1, graceMs })
    const leaving = await one.lock(101, { location: wire.location(1) })
    demand(leaving.outcome === 'absent', 'a connection that is leaving takes no place.', leaving)
    const next = fenceOf(await other.lock(1), "a member's other connection gets the place of a leaving connection.")
    demand(next > fence, 'the fences of a place strictly increase.', { fence, next })
    const isHeldOnce = (shown: Connection[]) =>
      isSame(
        shown.flatMap(({ connectionId, locks = [] }) => locks.map(() => connectionId)),
        [other.names.connectionId],
      )
    await eventually(wire, room, 'a place has at most one holder.', isHeldOnce)
  },

  async 'takeOver takes a place from a live connection of the same member'(wire: Wire) {
    const room = wire.newRoom()
    const memberKey = newKey()
    const [one, other] = [await editor(wire, room, memberKey), await editor(wire, room, memberKey)]
    const fence = fenceOf(await one.lock(1), 'a free place is granted.')
    const taken = await other.lock(1)
    demand(taken.outcome === 'taken', 'without takeOver, a place is taken for the same member too.', taken)
    const next = fenceOf(await other.lock(101, { takeOver: true }), 'takeOver takes the place of the same member.')
    demand(next > fence, 'the fences of a place strictly increase.', { fence, next })
    const gone = await one.unlock(101, fence)
    demand(isSame(gone, { outcome: 'gone', holder: other.names }), 'a place has at most one holder.', gone)
    const stranger = await editor(wire, room)
    if (stranger.names.memberId === other.names.memberId) return
    const refused = await stranger.lock(1, { takeOver: true })
    demand(refused.outcome === 'taken', 'takeOver takes nothing from another member.', refused)
  },

  async 'a lock call of a connection that is not in the room is answered absent, and bad input is refused'(wire: Wire) {
    const room = wire.newRoom()
    const absent = await wire.lock({ room, connectionKey: newKey(), lockSeq: 1 })
    demand(absent.outcome === 'absent', 'a connection that is not in the room takes no place.', absent)
    const one = await editor(wire, room)
    const valid = { room, connectionKey: one.connectionKey, lockSeq: 1, location: wire.location(0) }
    const { connectionKey: _key, ...keyless } = valid
    for (const bad of [
      { ...valid, location: null },
      { ...valid, location: wire.target.badLocation },
      { ...valid, lockSeq: -1 },
      { ...valid, lockSeq: undefined },
      { ...valid, takeOver: false },
      { ...valid, claim: 0.5 },
      { ...valid, memberId: 'eve' },
      keyless,
    ]) {
      const { status, refusal } = await wire.mutate('lockLocation', bad)
      const rule = 'bad input of lockLocation is answered BAD_REQUEST.'
      demand(refusal?.code === 'BAD_REQUEST' && status === 400, rule, { bad, status, refusal })
    }
    await eventually(wire, room, 'a call that is refused changes nothing.', holdsNothing)
  },

  async 'a connection that holds perConnection places is answered full'(wire: Wire) {
    const room = wire.newRoom()
    const one = await editor(wire, room)
    const { perConnection = 8 } = wire.target.locks!
    const at = (n: number) => ({ location: wire.location(n) })
    let fence = 0
    for (let n = 0; n < perConnection; n++)
      fence = fenceOf(await one.lock(100 * n, at(n)), 'a connection may hold `perConnection` places.')
    const full = await one.lock(100 * perConnection, at(perConnection))
    demand(full.outcome === 'full', 'a connection that holds `perConnection` places is answered full.', full)
    await one.unlock(100 * perConnection + 1, fence, at(perConnection - 1))
    fenceOf(await one.lock(100 * perConnection + 2, at(perConnection)), 'an unlock makes room for another place.')
  },

  async 'a lock ends lockMs after the last accepted post of its holder, whatever its lease is'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    const { lockMs } = viewer.hello.locks!
    const one = await editor(wire, room)
    fenceOf(await one.lock(1), 'a free place is granted.')
    const holds = () => viewer.get(one.names.connectionId)?.locks !== undefined
    await viewer.until('a frame shows a lock.', holds, wire.timing.patienceMs)
    const rule = 'a lock ends lockMs after the last accepted post of its holder.'
    await viewer.until(rule, () => !holds(), lockMs + wire.timing.patienceMs)
    demand(viewer.get(one.names.connectionId), 'the lease of the holder goes on without its locks.', viewer.connections)
    const late = await wire.lock({ room, connectionKey: one.connectionKey, lockSeq: 101 })
    demand(late.outcome === 'absent', 'a connection that has not posted for lockMs takes no place.', late)
  },
}

/**
 * Enters a room with a new connection, and returns its lock calls. Each call first renews the lease, so that a slow
 * machine does not let a lock expire by accident. Each `lockSeq` leaves room for repeated calls.
 */
async function editor(wire: Wire, room: string, memberKey?: string) {
  const connectionKey = newKey()
  const own = { room, connectionKey }
  const renew = () => wire.post({ ...own, seq: 1, ...(memberKey !== undefined && { memberKey }) })
  const { connectionId, memberId } = await renew()
  return {
    connectionKey,
    names: { connectionId, memberId },
    async lock(lockSeq: number, more: object = {}) {
      await renew()
      return wire.lock({ ...own, lockSeq, ...more })
    },
    async unlock(lockSeq: number, fence: number, more: object = {}) {
      await renew()
      return wire.unlock({ ...own, lockSeq, fence, ...more })
    },
  }
}

const holdsNothing = (shown: Connection[]) => !shown.some(({ locks }) => locks)

/** Reads snapshots until `holds` returns true: another process may receive a change a moment later. */
async function eventually(wire: Wire, room: string, rule: string, holds: (shown: Connection[]) => boolean) {
  const deadline = AbortSignal.timeout(wire.timing.patienceMs)
  for (;;) {
    const shown = await connectionsIn(wire, room)
    if (holds(shown)) return
    demand(!deadline.aborted, rule, shown)
    await passing(20)
  }
}

function fenceOf(reply: LockLocationOutput, rule: string): number {
  demand(reply.outcome === 'locked' && reply.fence > 0, rule, reply)
  return reply.fence
}
