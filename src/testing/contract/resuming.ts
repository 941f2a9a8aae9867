import { demand, isSame } from './demand.js'
import { Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** Coming back with an id (room rule 5). */
export const resumeCases = {
  async 'one who missed nothing is told nothing'(wire: Wire) {
    const room = wire.newRoom()
    const connectionKey = newKey()
    await wire.post({ room, connectionKey, seq: 1 })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    await using viewer = await Viewer.open(wire, { room }, before.view)
    demand(viewer.helloId === before.view.id, 'hello carries the id that was accepted.', {
      hello: viewer.helloId,
      given: before.view.id,
    })
    await wire.post({ room, connectionKey, seq: 2, location: wire.location(2) })
    const { event } = await viewer.change()
    demand(event.type === 'changes', 'one who missed nothing gets no second snapshot.', event)
    demand(event.changed?.length === 1, 'what comes after a resume is what changed since.', event)
  },

  async 'one who missed something gets one merged change, from the id they hold'(wire: Wire) {
    const room = wire.newRoom()
    const keys = Array.from({ length: 6 }, newKey)
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, location: wire.location(0) })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    const connectionKey = keys[0]!
    for (const seq of [2, 3, 4]) await wire.post({ room, connectionKey, seq, location: wire.location(seq) })
    await using viewer = await Viewer.open(wire, { room }, before.view)
    const { event } = await viewer.change()
    demand(event.type === 'changes', 'who missed one move of many people gets changes, not the room.', event)
    demand(event.changed?.length === 1, 'merged changes have one entry for each connection.', event)
    demand(isSame(event.changed[0]?.location, wire.location(4)), 'the newest wins; what it overtook is gone.', event)
  },

  async 'whoever entered or left meanwhile is told of once'(wire: Wire) {
    const room = wire.newRoom()
    const keys = Array.from({ length: 8 }, newKey)
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, leaseMs: wire.timing.leaseMaxMs })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    const [coming, passingBy] = [newKey(), newKey()]
    const gone = await wire.post({ room, connectionKey: keys[0]!, seq: 2, location: wire.location(1) })
    await wire.leave({ room, connectionKey: keys[0]! })
    await wire.post({ room, connectionKey: passingBy, seq: 1 })
    await wire.leave({ room, connectionKey: passingBy })
    const come = await wire.post({ room, connectionKey: coming, seq: 1, location: wire.location(7) })
    await using viewer = await Viewer.open(wire, { room }, before.view)
    await viewer.change()
    demand(!viewer.get(gone.connectionId), 'who left meanwhile is gone after a resume.', viewer.connections)
    demand(viewer.get(come.connectionId), 'who entered meanwhile is there after a resume.', viewer.connections)
    demand(viewer.connections.length === 8, 'who came and went meanwhile is not there.', viewer.connections)
  },

  async 'the id may come in the Last-Event-ID header, as a browser sends it'(wire: Wire) {
    const room = wire.newRoom()
    await wire.post({ room, connectionKey: newKey(), seq: 1 })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    await using stream = await wire.open({ room }, { 'last-event-id': before.view.id! })
    const hello = await stream.next()
    demand(hello.id === before.view.id, 'the Last-Event-ID header resumes.', { hello, given: before.view.id })
  },

  async 'an id that is not of this room begins anew'(wire: Wire) {
    const room = wire.newRoom()
    const other = wire.newRoom()
    await wire.post({ room, connectionKey: newKey(), seq: 1 })
    await wire.post({ room: other, connectionKey: newKey(), seq: 1 })
    const elsewhere = (await wire.get({ room: other })).id
    await beginsAnew(wire, room, elsewhere)
  },

  async 'garbage and forged ids bring a snapshot, never an error'(wire: Wire) {
    const room = wire.newRoom()
    // Asking for them all takes longer than a short lease.
    await wire.post({ room, connectionKey: newKey(), seq: 1, leaseMs: wire.timing.leaseMaxMs })
    const { epoch, version } = idOf((await wire.get({ room })).id)
    const forged = [
      null, '', ' ', '0', '.', '..', `${version}`, epoch, `${epoch}.`, `.${version}`, `${epoch}.x`, `${epoch}.-1`,
      `${epoch}.0`, `${epoch}.1`, `${epoch}.${version}.0`, `${epoch}.${version}x`, ` ${epoch}.${version}`,
      `${epoch}.0${version}`, `${epoch}.${version}e0`, `${epoch}.${version + 1}`, `${epoch}.9007199254740991`,
      `${epoch}.99999999999999999999`, `AAAAAAAAAAA.${version}`, `${epoch.toLowerCase()}A.${version}`, '__proto__',
      `__proto__.${version}`, `${epoch}.Infinity`, `${epoch}.NaN`, '\u0000', 'ü.1', '🙂', '{"epoch":1}', 'x'.repeat(2_000),
    ] // prettier-ignore
    for (const lastEventId of forged) await beginsAnew(wire, room, lastEventId)
  },
}

/** Streams and queries alike; and what the client sent is not sent back. */
async function beginsAnew(wire: Wire, room: string, lastEventId: string | null): Promise<void> {
  const rule = 'an id that cannot be resumed from gives a snapshot, never an error.'
  await using stream = await wire.open({ room, lastEventId })
  const hello = await stream.message()
  demand(hello?.event === 'message', rule, { lastEventId, hello })
  demand(idOf(hello.id).version === 0, "hello then carries epoch.0, never the client's bytes.", { lastEventId, hello })
  const { id, event } = await stream.next()
  demand(event.type === 'snapshot' && event.connections.length === 1, rule, { lastEventId, id, event })
  const polled = await wire.get({ room, lastEventId })
  demand(polled.event.type === 'snapshot' && polled.id === id, rule, { lastEventId, polled, id })
}
