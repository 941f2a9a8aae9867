import type { GetLocationsInput, GetLocationsOutput } from '../../shared/index.js'
import { demand, isSame, passing } from './demand.js'
import { newKey, type Wire } from './http-client.js'

const versionOf = (id: string) => Number(id.split('.')[1])

/**
 * Queries a room until the answer is at the version of `id` or later. Behind a load balancer another server may answer,
 * and it receives a commit a moment after the reply to the post.
 */
async function getFrom(wire: Wire, input: GetLocationsInput, id: string): Promise<GetLocationsOutput> {
  for (let attempt = 1; ; attempt++) {
    const answer = await wire.get(input)
    if (versionOf(answer.id) >= versionOf(id) || attempt === 100) return answer
    await passing(20)
  }
}

/** Cases about queries, which need no stream. */
export const queryCases = {
  async 'getLocations answers a snapshot, or the changes since an id'(wire: Wire) {
    const room = wire.newRoom()
    const keys = Array.from({ length: 4 }, newKey)
    let newest = ''
    for (const connectionKey of keys) newest = (await wire.post({ room, connectionKey, seq: 1 })).id ?? newest
    const first = await getFrom(wire, { room }, newest)
    demand(first.event.type === 'snapshot', 'getLocations without an id answers a snapshot.', first)
    demand(first.event.connections.length === 4, 'a snapshot has every connection.', first)
    const idle = await wire.get({ room, lastEventId: first.id })
    const isNothing = idle.event.type === 'changes' && !idle.event.entered && !idle.event.changed && !idle.event.left
    demand(
      isNothing && idle.id === first.id,
      'when nothing changed, changes has no lists and the id is unchanged.',
      idle,
    )
    const reply = await wire.post({ room, connectionKey: keys[0]!, seq: 2, location: wire.location(2) })
    const next = await getFrom(wire, { room, lastEventId: first.id }, reply.id ?? first.id)
    demand(next.event.type === 'changes' && next.event.from === first.id, 'changes start from the given id.', next)
    const [change] = next.event.changed ?? []
    demand(change?.connectionId === reply.connectionId, 'getLocations with an id answers the changes since.', next)
    demand(next.id === reply.id, 'a query and a reply give the same id.', { next, reply })
  },

  async 'an unknown room is an empty room, not an error'(wire: Wire) {
    const room = wire.newRoom()
    const { event } = await wire.get({ room })
    demand(event.type === 'snapshot' && event.connections.length === 0, 'an unknown room is an empty room.', event)
    const counts = await wire.count([room])
    demand(isSame(counts, [{ room, members: 0 }]), 'an unknown room has no members.', counts)
  },

  async 'countMembers counts members, not connections'(wire: Wire) {
    const [room, other, empty] = [wire.newRoom(), wire.newRoom(), wire.newRoom()]
    const memberKey = newKey()
    const post = { connectionKey: newKey(), seq: 1 }
    const replies = [
      await wire.post({ room, memberKey, ...post }),
      await wire.post({ room, memberKey, ...post, connectionKey: newKey() }),
      await wire.post({ room, memberKey: newKey(), ...post, connectionKey: newKey() }),
    ]
    await wire.post({ room: other, memberKey, ...post })
    const members = new Set(replies.map(({ memberId }) => memberId)).size
    const counts = await wire.count([other, room, empty])
    const right = [
      { room: other, members: 1 },
      { room, members },
      { room: empty, members: 0 },
    ]
    demand(isSame(counts, right), 'countMembers counts members, in the order of the input.', { counts, right })
    await wire.leave({ room: other, connectionKey: post.connectionKey })
    const after = await wire.count([other])
    demand(isSame(after, [{ room: other, members: 0 }]), 'a member that left is not counted.', after)
  },

  async 'countMembers accepts 100 rooms and rejects 101'(wire: Wire) {
    const rooms = Array.from({ length: 101 }, (_, i) => `contract-${i}`)
    const counts = await wire.count(rooms.slice(1))
    demand(counts.length === 100, 'countMembers accepts 100 rooms.', counts.length)
    const { refusal } = await wire.query('countMembers', { rooms })
    demand(refusal?.code === 'BAD_REQUEST', 'countMembers rejects more than 100 rooms.', refusal)
  },
}
