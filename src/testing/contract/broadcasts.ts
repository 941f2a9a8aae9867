import type { BroadcastItem } from '../../shared/index.js'
import { demand, isSame, passing } from './demand.js'
import { newKey, type Wire } from './http-client.js'
import { Viewer } from './viewer.js'

/** Cases about broadcasts, which are not part of the state of a room. They need a target with broadcasts. */
export const broadcastCases = {
  async 'each open stream receives each broadcast once, in the order of sending, with its current id'(wire: Wire) {
    const { room, sender, connectionKey } = await present(wire)
    await using one = await Viewer.see(wire, { room })
    await using other = await Viewer.see(wire, { room, connectionKey })
    const lists = 'hello lists broadcasts in features when the app has some.'
    demand(one.hello.features?.includes('broadcasts'), lists, one.hello)
    const numbers = [1, 2, 3, 4, 5]
    for (const n of numbers) {
      const { outcome } = await wire.broadcast({ room, connectionKey, n, nonce: `n${n}`, lastEventId: one.view.id })
      demand(outcome === 'sent', 'a broadcast of a present connection is answered sent.', outcome)
    }
    const { connectionId, memberId } = sender
    for (const viewer of [one, other]) {
      const items = await itemsOf(wire, viewer, numbers.length)
      const sent = numbers.map((n) => payload(wire, n))
      const rule = 'each stream gets the broadcasts once, in the order in which they were sent.'
      demand(
        isSame(
          items.map((item) => item.payload),
          sent,
        ),
        rule,
        items,
      )
      const names = items.map((item) => [item.name, item.connectionId, item.memberId, item.nonce])
      const expected = numbers.map((n) => [wire.target.broadcasts!.name, connectionId, memberId, `n${n}`])
      // The client that sent a broadcast recognizes it by the connectionId.
      demand(isSame(names, expected), 'an item names its broadcast, its sender and its nonce.', items)
      const areTimed = items.every(({ at, after }) => Number.isSafeInteger(at) && Number.isSafeInteger(after))
      demand(areTimed, 'an item says when it was accepted, and after which version.', items)
    }
  },

  async 'a broadcast changes nothing in the room, and is not repeated on a stream that opens later or resumes'(
    wire: Wire,
  ) {
    const { room, sender, connectionKey } = await present(wire)
    await using viewer = await Viewer.see(wire, { room })
    const isPresent = () => viewer.get(sender.connectionId) !== undefined
    await viewer.until('a connection that enters is shown.', isPresent, wire.timing.patienceMs)
    const { id } = viewer.view
    await wire.broadcast({ room, connectionKey, n: 1 })
    await itemsOf(wire, viewer, 1)
    const changes = await wire.get({ room, lastEventId: id })
    const rule = 'a broadcast changes nothing in the room.'
    demand(isSame(changes.event, { type: 'changes', from: id }) && changes.id === id, rule, changes)
    await using late = await Viewer.see(wire, { room })
    await using resumed = await Viewer.open(wire, { room }, viewer.view)
    await wire.broadcast({ room, connectionKey, n: 2 })
    for (const each of [late, resumed]) {
      const [item] = await itemsOf(wire, each, 1)
      demand(
        isSame(item!.payload, payload(wire, 2)),
        'a broadcast is never sent to a stream that opened after it.',
        item,
      )
    }
  },

  async 'a broadcast to one member reaches the streams of that member alone'(wire: Wire) {
    const { room, sender, connectionKey } = await present(wire)
    const key = newKey()
    const { memberId } = await wire.post({ room, connectionKey: key, seq: 1 })
    await using own = await Viewer.see(wire, { room, connectionKey })
    await using receiver = await Viewer.see(wire, { room, connectionKey: key })
    await wire.broadcast({ room, connectionKey, n: 1, to: 'nobody-of-this-name' })
    await wire.broadcast({ room, connectionKey, n: 2, to: memberId })
    await wire.broadcast({ room, connectionKey, n: 3 })
    const received = [2, 3].map((n) => payload(wire, n))
    const items = await itemsOf(wire, receiver, 2)
    demand(
      isSame(
        items.map((item) => item.payload),
        received,
      ),
      'the member that `to` names gets a broadcast.',
      items,
    )
    const [first] = await itemsOf(wire, own, 1)
    const expected = sender.memberId === memberId ? received[0] : received[1]
    demand(isSame(first!.payload, expected), 'nobody but the member that `to` names gets a broadcast.', first)
  },

  async 'a connection that is not in the room sends nothing and is answered absent'(wire: Wire) {
    const { room, connectionKey } = await present(wire)
    await using viewer = await Viewer.see(wire, { room })
    const { outcome } = await wire.broadcast({ room, connectionKey: newKey(), n: 1 })
    demand(outcome === 'absent', 'a broadcast of a connection that is not in the room is answered absent.', outcome)
    await wire.leave({ room, connectionKey, graceMs: 0 })
    // Another process may receive the leave a moment later.
    const deadline = AbortSignal.timeout(wire.timing.patienceMs)
    while ((await wire.broadcast({ room, connectionKey, n: 2 })).outcome !== 'absent') {
      demand(!deadline.aborted, 'a broadcast of a connection that has left is answered absent.')
      await passing(50)
    }
    const again = newKey()
    await wire.post({ room, connectionKey: again, seq: 1 })
    await wire.broadcast({ room, connectionKey: again, n: 3 })
    const isLast = ({ payload: sent }: BroadcastItem) => isSame(sent, payload(wire, 3))
    for (let item; !item || !isLast(item);) {
      ;[item] = await itemsOf(wire, viewer, 1)
      demand(!isSame(item?.payload, payload(wire, 1)), 'a broadcast that is answered absent reaches nobody.', item)
    }
  },

  async 'a broadcast with a wrong payload, name or field is refused and reaches nobody'(wire: Wire) {
    const { room, connectionKey } = await present(wire)
    await using viewer = await Viewer.see(wire, { room })
    for (const bad of [
      { payload: wire.target.broadcasts!.badPayload },
      { name: 'a name that no app has' },
      { name: 'hereabouts:reserved' },
      { nonce: '' },
      { nonce: 'x'.repeat(33) },
      { to: '' },
      { memberId: 'eve' },
    ]) {
      const input = { ...wire.broadcastOf({ room, connectionKey, n: 1 }), ...bad }
      const { status, refusal } = await wire.mutate('broadcastToRoom', input)
      const rule = 'a broadcast with bad input is answered BAD_REQUEST.'
      demand(refusal?.code === 'BAD_REQUEST' && status === 400, rule, { bad, status, refusal })
    }
    await wire.broadcast({ room, connectionKey, n: 2 })
    const [item] = await itemsOf(wire, viewer, 1)
    demand(isSame(item!.payload, payload(wire, 2)), 'a broadcast that is refused reaches nobody.', item)
  },
}

/**
 * A case about the limit of broadcasts of a member. It needs a target with `burst`, the number that a member may send
 * at once.
 */
export const broadcastLimitCases = {
  async 'a member who sends more broadcasts than allowed is answered rate-limited, with the time to wait'(wire: Wire) {
    const { room, connectionKey } = await present(wire)
    const count = 3 * wire.target.broadcasts!.burst!
    const input = wire.broadcastOf({ room, connectionKey })
    const answers = await Promise.all(Array.from({ length: count }, () => wire.mutate('broadcastToRoom', input)))
    const refusals = answers.flatMap(({ refusal }) => refusal ?? [])
    const rule = 'a member may send `burst` broadcasts at once, and not three times as many.'
    demand(refusals.length > 0 && refusals.length <= (count * 2) / 3, rule, { count, refused: refusals.length })
    const areTimed = refusals.every(
      ({ code, message }) => code === 'TOO_MANY_REQUESTS' && /^rate-limited: .* again in \d+ ms\.$/.test(message),
    )
    demand(areTimed, 'a broadcast over the limit is answered rate-limited, with the time to wait.', refusals[0])
  },
}

/** Returns a new room and a connection in it, from which the case sends. */
async function present(wire: Wire) {
  const room = wire.newRoom()
  const connectionKey = newKey()
  const sender = await wire.post({ room, connectionKey, seq: 1 })
  return { room, connectionKey, sender }
}

const payload = (wire: Wire, n: number) => wire.target.broadcasts!.payload(n)

/** Returns the next items of a stream. */
async function itemsOf(wire: Wire, viewer: Viewer, count: number): Promise<BroadcastItem[]> {
  const items: BroadcastItem[] = []
  const deadline = AbortSignal.timeout(wire.timing.patienceMs)
  while (items.length < count) {
    demand(!deadline.aborted, 'a broadcast reaches each stream that is open.', items)
    const { event } = await viewer.next()
    if (event.type === 'broadcast') items.push(...event.items)
  }
  return items
}
