import { demand, isSame } from './demand.js'
import { Viewer } from './viewer.js'
import { idOf, newKey, type Wire } from './http-client.js'

/** Cases about resuming from an id (room rule 5). */
export const resumeCases = {
  async 'a viewer that resumes at the head is sent no frame before the next change'(wire: Wire) {
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
    demand(event.type === 'changes', 'a viewer that missed nothing is sent no second snapshot.', event)
    demand(event.changed?.length === 1, 'the first frame after a resume has only the changes since.', event)
  },

  async 'a viewer that resumes below the head is sent one merged change from its id'(wire: Wire) {
    const room = wire.newRoom()
    const keys = Array.from({ length: 6 }, newKey)
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, location: wire.location(0) })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    const connectionKey = keys[0]!
    for (const seq of [2, 3, 4]) await wire.post({ room, connectionKey, seq, location: wire.location(seq) })
    await using viewer = await Viewer.open(wire, { room }, before.view)
    const { event } = await viewer.change()
    demand(
      event.type === 'changes',
      'a viewer that missed the moves of one connection of many is sent changes, not a snapshot.',
      event,
    )
    demand(event.changed?.length === 1, 'merged changes have one entry for each connection.', event)
    demand(
      isSame(event.changed[0]?.location, wire.location(4)),
      'merged changes contain only the newest location.',
      event,
    )
  },

  async 'a merged change reports the connections that entered or left meanwhile'(wire: Wire) {
    const room = wire.newRoom()
    const keys = Array.from({ length: 8 }, newKey)
    for (const connectionKey of keys) await wire.post({ room, connectionKey, seq: 1, leaseMs: wire.timing.leaseMaxMs })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    const [entering, passingBy] = [newKey(), newKey()]
    const gone = await wire.post({ room, connectionKey: keys[0]!, seq: 2, location: wire.location(1) })
    await wire.leave({ room, connectionKey: keys[0]! })
    await wire.post({ room, connectionKey: passingBy, seq: 1 })
    await wire.leave({ room, connectionKey: passingBy })
    const come = await wire.post({ room, connectionKey: entering, seq: 1, location: wire.location(7) })
    await using viewer = await Viewer.open(wire, { room }, before.view)
    await viewer.change()
    demand(
      !viewer.get(gone.connectionId),
      'a connection that left meanwhile is gone after a resume.',
      viewer.connections,
    )
    demand(
      viewer.get(come.connectionId),
      'a connection that entered meanwhile is shown after a resume.',
      viewer.connections,
    )
    demand(
      viewer.connections.length === 8,
      'a connection that entered and left meanwhile is not shown after a resume.',
      viewer.connections,
    )
  },

  async 'a stream resumes from the id in the Last-Event-ID header, as a browser sends it'(wire: Wire) {
    const room = wire.newRoom()
    await wire.post({ room, connectionKey: newKey(), seq: 1 })
    const before = await Viewer.see(wire, { room })
    before.stream.close()
    await using stream = await wire.open({ room }, { 'last-event-id': before.view.id! })
    const hello = await stream.next()
    demand(hello.id === before.view.id, 'the Last-Event-ID header resumes.', { hello, given: before.view.id })
  },

  async 'an id of another room is answered with a snapshot'(wire: Wire) {
    const room = wire.newRoom()
    const other = wire.newRoom()
    await wire.post({ room, connectionKey: newKey(), seq: 1 })
    await wire.post({ room: other, connectionKey: newKey(), seq: 1 })
    const elsewhere = (await wire.get({ room: other })).id
    await isAnsweredWithSnapshot(wire, room, elsewhere)
  },

  async 'malformed and forged ids are answered with a snapshot, never with an error'(wire: Wire) {
    const room = wire.newRoom()
    // This post has the longest lease, because the queries below take longer than a short lease.
    await wire.post({ room, connectionKey: newKey(), seq: 1, leaseMs: wire.timing.leaseMaxMs })
    const { epoch, version } = idOf((await wire.get({ room })).id)
    const forged = [
      null, '', ' ', '0', '.', '..', `${version}`, epoch, `${epoch}.`, `.${version}`, `${epoch}.x`, `${epoch}.-1`,
      `${epoch}.0`, `${epoch}.1`, `${epoch}.${version}.0`, `${epoch}.${version}x`, ` ${epoch}.${version}`,
      `${epoch}.0${version}`, `${epoch}.${version}e0`, `${epoch}.${version + 1}`, `${epoch}.9007199254740991`,
      `${epoch}.99999999999999999999`, `AAAAAAAAAAA.${version}`, `${epoch.toLowerCase()}A.${version}`, '__proto__',
      `__proto__.${version}`, `${epoch}.Infinity`, `${epoch}.NaN`, '\u0000', 'ü.1', '🙂', '{"epoch":1}', 'x'.repeat(2_000),
    ] // prettier-ignore
    for (const lastEventId of forged) await isAnsweredWithSnapshot(wire, room, lastEventId)
  },
}

/** Checks that a stream and a query answer an id with a snapshot, and that the stream does not echo the id. */
async function isAnsweredWithSnapshot(wire: Wire, room: string, lastEventId: string | null): Promise<void> {
  const rule = 'an id that cannot be resumed from is answered with a snapshot, never with an error.'
  await using stream = await wire.open({ room, lastEventId })
  const hello = await stream.message()
  demand(hello?.event === 'message', rule, { lastEventId, hello })
  demand(idOf(hello.id).version === 0, "hello then carries epoch.0, never the client's bytes.", { lastEventId, hello })
  const { id, event } = await stream.next()
  demand(event.type === 'snapshot' && event.connections.length === 1, rule, { lastEventId, id, event })
  const polled = await wire.get({ room, lastEventId })
  demand(polled.event.type === 'snapshot' && polled.id === id, rule, { lastEventId, polled, id })
}
