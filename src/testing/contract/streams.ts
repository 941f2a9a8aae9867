import { demand, isSame, passing } from './demand.js'
import { Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** What a stream begins with, and how it goes on. */
export const streamCases = {
  async 'a stream begins with hello and a snapshot'(wire: Wire) {
    await using stream = await wire.open({ room: wire.newRoom() })
    const hello = await stream.next()
    const { event } = hello
    demand(event.type === 'hello', 'a stream begins with hello.', event)
    demand(event.protocol === 1, 'hello says protocol: 1.', event)
    demand(event.connectionId === null, 'hello.connectionId is null for one who only watches.', event)
    const { beatMs, leaseMs, postMs } = event
    demand(beatMs > 0 && leaseMs > beatMs && postMs >= 0, 'hello says beatMs, leaseMs (longer) and postMs.', event)
    const snapshot = await stream.next()
    demand(snapshot.event.type === 'snapshot', 'a snapshot follows hello.', snapshot)
    demand(isSame(snapshot.event.connections, []), 'nobody is in a room that nobody used.', snapshot)
    const [begun, now] = [idOf(hello.id), idOf(snapshot.id)]
    demand(begun.version === 0, "without an id to resume from, hello's id is epoch.0.", hello)
    demand(begun.epoch === now.epoch && now.version > 0, 'the snapshot brings the version, in the same epoch.', {
      hello: hello.id,
      snapshot: snapshot.id,
    })
  },

  async 'a snapshot shows who is there, as their posts said'(wire: Wire) {
    const room = wire.newRoom()
    const key = newKey()
    const reply = await wire.post({ room, connectionKey: key, seq: 1, location: wire.location(1) })
    await using viewer = await Viewer.see(wire, { room })
    const { connections } = viewer
    demand(connections.length === 1, 'a snapshot has every connection of the room.', connections)
    const { connectionId, memberId, location, activity, at } = connections[0]!
    demand(connectionId === reply.connectionId, 'connectionId is as the reply said.', connections)
    demand(memberId === reply.memberId, 'memberId is as the reply said.', connections)
    demand(isSame(location, wire.location(1)), 'the location is as it was posted.', connections)
    demand(activity === 'active', 'activity is active until a post says otherwise.', connections)
    const { version } = idOf(viewer.view.id!)
    demand(Number.isInteger(at) && at > 0 && at <= version, 'at is the version that last changed it.', { at, version })
  },

  async 'a stream alone makes nobody present'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using own = await Viewer.see(wire, { room, connectionKey })
    demand(own.connections.length === 0, 'opening a stream makes nobody present; a post does.', own.connections)
    const { event } = await wire.get({ room })
    demand(event.type === 'snapshot' && event.connections.length === 0, 'opening a stream makes nobody present.', event)
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    demand(own.hello.connectionId === connectionId, 'hello names the connection that the stream is opened with.', {
      hello: own.hello,
      connectionId,
    })
  },

  async 'a viewer sees enter, move and leave, each from the id they hold'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    const entered = await viewer.change()
    demand(entered.event.type === 'changes', 'one who enters comes as changes.', entered)
    demand(entered.event.entered?.[0]?.connectionId === connectionId, 'one who enters is in entered.', entered)
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    const moved = await viewer.change()
    demand(moved.event.type === 'changes', 'one who moves comes as changes.', moved)
    const [change] = moved.event.changed ?? []
    demand(change?.connectionId === connectionId, 'one who moves is in changed.', moved)
    demand(isSame(change.location, wire.location(2)), 'changed holds the new location.', moved)
    demand(change.at === idOf(moved.id).version, 'at is the version that changed it.', moved)
    await wire.leave({ room, connectionKey, seq: 2 })
    const left = await viewer.change()
    demand(left.event.type === 'changes', 'one who leaves comes as changes.', left)
    const [leaver] = left.event.left ?? []
    demand(leaver?.connectionId === connectionId && leaver.reason === 'left', 'one who leaves is in left.', left)
    demand(viewer.connections.length === 0, 'one who left is gone.', viewer.connections)
  },

  async 'many who post at once are all seen, in one order'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    const keys = Array.from({ length: 6 }, newKey)
    const replies = await Promise.all(
      keys.flatMap((connectionKey, k) =>
        [1, 2, 3].map((seq) => wire.post({ room, connectionKey, seq, location: wire.location(10 * k + seq) })),
      ),
    )
    const ids = [...new Set(replies.map(({ connectionId }) => connectionId))]
    const isThere = (connectionId: string, k: number) =>
      isSame(viewer.get(connectionId)?.location, wire.location(10 * k + 3))
    await viewer.until('every viewer ends at the newest location of everyone.', () => ids.every(isThere))
    const { id, event } = await wire.get({ room })
    demand(event.type === 'snapshot', 'getLocations without an id answers a snapshot.', event)
    demand(id === viewer.view.id, 'getLocations and onLocation tell of the same versions.', {
      id,
      held: viewer.view.id,
    })
    const seen = new Map(viewer.view.connections)
    for (const connection of event.connections)
      demand(isSame(seen.get(connection.connectionId), connection), 'changes and snapshots tell the same.', connection)
  },

  async 'rooms know nothing of each other'(wire: Wire) {
    const [room, other] = [wire.newRoom(), wire.newRoom()]
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room: other, connectionKey, seq: 9, location: wire.location(9) })
    const { outcome } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    demand(outcome === 'applied', 'seq counts for one room only.', outcome)
    await viewer.change()
    demand(isSame(viewer.connections[0]?.location, wire.location(1)), 'a room shows its own posts.', viewer.connections)
  },

  async 'a beat says how many there are, and proves it'(wire: Wire) {
    const room = wire.newRoom()
    const keys = [newKey(), newKey(), newKey()]
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, leaseMs: wire.timing.leaseMaxMs })
    await using viewer = await Viewer.see(wire, { room })
    const { beatMs } = viewer.hello
    const rule = 'a beat comes every beatMs.'
    const until = async (count: number) => {
      for (;;) {
        // Whether count and digest are right is held against the view by the viewer itself.
        const { event } = await viewer.next(2 * beatMs + wire.timing.patienceMs, rule)
        if (event.type === 'beat' && event.count === count) return
      }
    }
    await until(3)
    await wire.post({ room, connectionKey: keys[0]!, seq: 2, location: wire.location(5) })
    await wire.leave({ room, connectionKey: keys[1]! })
    await until(2)
  },

  async 'a beat comes again and again'(wire: Wire) {
    await using viewer = await Viewer.see(wire, { room: wire.newRoom() })
    const { beatMs } = viewer.hello
    for (let beats = 0; beats < 3;) {
      const { event } = await viewer.next(2 * beatMs + wire.timing.patienceMs, 'a beat comes every beatMs.')
      if (event.type === 'beat') beats += 1
    }
  },

  async 'any text that is a name names a room'(wire: Wire) {
    for (const room of ['__proto__', 'constructor', 'toString', '房间 № 1 🙂', '.', '%2F', 'a\'b"<c>']) {
      const connectionKey = newKey()
      const { connectionId } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(3) })
      await using viewer = await Viewer.see(wire, { room })
      demand(viewer.get(connectionId), 'a room id is any visible text.', { room, connections: viewer.connections })
      await wire.leave({ room, connectionKey })
    }
  },

  async 'a stream that nobody cuts stays'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    await passing(viewer.hello.beatMs)
    const { connectionId } = await wire.post({ room, connectionKey: newKey(), seq: 1 })
    await viewer.until('an open stream goes on.', () => viewer.get(connectionId) !== undefined, wire.timing.patienceMs)
  },
}
