import { demand, isSame, passing } from './demand.js'
import { Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** Cases about the first events of a stream and the events that follow. */
export const streamCases = {
  async 'a stream begins with hello and a snapshot'(wire: Wire) {
    await using stream = await wire.open({ room: wire.newRoom() })
    const hello = await stream.next()
    const { event } = hello
    demand(event.type === 'hello', 'a stream begins with hello.', event)
    demand(event.protocol === 1, 'hello has protocol: 1.', event)
    demand(event.connectionId === null, 'hello.connectionId is null for a stream without a key.', event)
    const { beatMs, leaseMs, postMs } = event
    demand(beatMs > 0 && leaseMs > beatMs && postMs >= 0, 'hello has beatMs, a longer leaseMs, and postMs.', event)
    const snapshot = await stream.next()
    demand(snapshot.event.type === 'snapshot', 'a snapshot follows hello.', snapshot)
    demand(isSame(snapshot.event.connections, []), 'a room that nobody used is empty.', snapshot)
    const [begun, now] = [idOf(hello.id), idOf(snapshot.id)]
    demand(begun.version === 0, 'without an id to resume from, the id of hello is epoch.0.', hello)
    demand(begun.epoch === now.epoch && now.version > 0, 'a snapshot has a version above 0 in the epoch of hello.', {
      hello: hello.id,
      snapshot: snapshot.id,
    })
  },

  async 'a snapshot contains every connection with the values of its post'(wire: Wire) {
    const room = wire.newRoom()
    const key = newKey()
    const reply = await wire.post({ room, connectionKey: key, seq: 1, location: wire.location(1) })
    await using viewer = await Viewer.see(wire, { room })
    const { connections } = viewer
    demand(connections.length === 1, 'a snapshot contains every connection of the room.', connections)
    const { connectionId, memberId, location, activity, at } = connections[0]!
    demand(connectionId === reply.connectionId, 'the connectionId is that of the reply.', connections)
    demand(memberId === reply.memberId, 'the memberId is that of the reply.', connections)
    demand(isSame(location, wire.location(1)), 'the location is the posted one.', connections)
    demand(activity === 'active', 'activity is active until a post changes it.', connections)
    const { version } = idOf(viewer.view.id!)
    demand(Number.isInteger(at) && at > 0 && at <= version, 'at is the version that last changed the connection.', {
      at,
      version,
    })
  },

  async 'opening a stream makes no connection present'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using own = await Viewer.see(wire, { room, connectionKey })
    demand(own.connections.length === 0, 'opening a stream makes no connection present; a post does.', own.connections)
    const { event } = await wire.get({ room })
    demand(
      event.type === 'snapshot' && event.connections.length === 0,
      'opening a stream makes no connection present.',
      event,
    )
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1 })
    demand(
      own.hello.connectionId === connectionId,
      'hello has the connectionId of the key that the stream was opened with.',
      {
        hello: own.hello,
        connectionId,
      },
    )
  },

  async 'a viewer receives each enter, move and leave as changes from the id that it holds'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    const { connectionId } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    const entered = await viewer.change()
    demand(entered.event.type === 'changes', 'an entering connection is sent as changes.', entered)
    demand(entered.event.entered?.[0]?.connectionId === connectionId, 'an entering connection is in entered.', entered)
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    const moved = await viewer.change()
    demand(moved.event.type === 'changes', 'a moving connection is sent as changes.', moved)
    const [change] = moved.event.changed ?? []
    demand(change?.connectionId === connectionId, 'a moving connection is in changed.', moved)
    demand(isSame(change.location, wire.location(2)), 'changed has the new location.', moved)
    demand(change.at === idOf(moved.id).version, 'at is the version of the frame that changed the connection.', moved)
    await wire.leave({ room, connectionKey, seq: 2 })
    const left = await viewer.change()
    demand(left.event.type === 'changes', 'a leaving connection is sent as changes.', left)
    const [leaver] = left.event.left ?? []
    demand(
      leaver?.connectionId === connectionId && leaver.reason === 'left',
      'a leaving connection is in left, with the reason left.',
      left,
    )
    demand(viewer.connections.length === 0, 'a connection that left is not shown.', viewer.connections)
  },

  async 'a viewer converges to the newest location of every connection that posts concurrently'(wire: Wire) {
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
    await viewer.until('every viewer converges to the newest location of every connection.', () => ids.every(isThere))
    const { id, event } = await wire.get({ room })
    demand(event.type === 'snapshot', 'getLocations without an id answers a snapshot.', event)
    demand(id === viewer.view.id, 'getLocations and onLocation give the same id.', {
      id,
      held: viewer.view.id,
    })
    const seen = new Map(viewer.view.connections)
    for (const connection of event.connections)
      demand(
        isSame(seen.get(connection.connectionId), connection),
        'a view built from changes equals the snapshot.',
        connection,
      )
  },

  async 'a post in one room changes no other room'(wire: Wire) {
    const [room, other] = [wire.newRoom(), wire.newRoom()]
    const connectionKey = newKey()
    await using viewer = await Viewer.see(wire, { room })
    await wire.post({ room: other, connectionKey, seq: 9, location: wire.location(9) })
    const { outcome } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(1) })
    demand(outcome === 'applied', 'a seq counts for one room only.', outcome)
    await viewer.change()
    demand(
      isSame(viewer.connections[0]?.location, wire.location(1)),
      'a room shows its own posts only.',
      viewer.connections,
    )
  },

  async 'a heartbeat carries the number and the digest of the connections'(wire: Wire) {
    const room = wire.newRoom()
    const keys = [newKey(), newKey(), newKey()]
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, leaseMs: wire.timing.leaseMaxMs })
    await using viewer = await Viewer.see(wire, { room })
    const { beatMs } = viewer.hello
    const rule = 'a heartbeat comes every beatMs.'
    const until = async (count: number) => {
      for (;;) {
        // The viewer itself compares count and digest with its view.
        const { event } = await viewer.next(2 * beatMs + wire.timing.patienceMs, rule)
        if (event.type === 'beat' && event.count === count) return
      }
    }
    await until(3)
    await wire.post({ room, connectionKey: keys[0]!, seq: 2, location: wire.location(5) })
    await wire.leave({ room, connectionKey: keys[1]! })
    await until(2)
  },

  async 'a heartbeat comes at every interval of beatMs'(wire: Wire) {
    await using viewer = await Viewer.see(wire, { room: wire.newRoom() })
    const { beatMs } = viewer.hello
    for (let beats = 0; beats < 3;) {
      const { event } = await viewer.next(2 * beatMs + wire.timing.patienceMs, 'a heartbeat comes every beatMs.')
      if (event.type === 'beat') beats += 1
    }
  },

  async 'a room id may be any visible text'(wire: Wire) {
    for (const room of ['__proto__', 'constructor', 'toString', '房间 № 1 🙂', '.', '%2F', 'a\'b"<c>']) {
      const connectionKey = newKey()
      const { connectionId } = await wire.post({ room, connectionKey, seq: 1, location: wire.location(3) })
      await using viewer = await Viewer.see(wire, { room })
      demand(viewer.get(connectionId), 'a room id is any visible text.', { room, connections: viewer.connections })
      await wire.leave({ room, connectionKey })
    }
  },

  async 'an open stream still delivers changes after a heartbeat interval'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    await passing(viewer.hello.beatMs)
    const { connectionId } = await wire.post({ room, connectionKey: newKey(), seq: 1 })
    await viewer.until(
      'an open stream delivers changes after a heartbeat interval without changes.',
      () => viewer.get(connectionId) !== undefined,
      wire.timing.patienceMs,
    )
  },
}
