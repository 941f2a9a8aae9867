import type { Connection } from '../../shared/index.js'
import { CaseSkipped, demand, isSame } from './demand.js'
import { newKey, type Wire } from './http-client.js'
import { connectionsIn, Viewer } from './viewer.js'

/** Cases about which connection of a member speaks for it: the connection that was used last. */
export const speakingCases = {
  async 'a post with used: true makes its connection speak for its member'(wire: Wire) {
    const room = wire.newRoom()
    await using viewer = await Viewer.see(wire, { room })
    if (!viewer.hello.features?.includes('used')) throw new CaseSkipped('hello does not list used in features.')
    const memberKey = newKey()
    const [one, other] = [newKey(), newKey()].map((connectionKey, n) => {
      const own = { room, memberKey, connectionKey, location: wire.location(n) }
      return (seq: number, change: object = {}) => wire.post({ ...own, seq, ...change })
    }) as [Poster, Poster]
    const speaks = async (connectionId: string, rule: string) => {
      const newest = (await wire.get({ room })).id
      await viewer.until(rule, () => viewer.view.id === newest, wire.timing.patienceMs)
      const shown = await connectionsIn(wire, room)
      for (const connections of [viewer.connections, shown])
        demand(speakerOf(connections)?.connectionId === connectionId, rule, connections)
      const view = viewer.connections
      demand(isSame(byId(view), byId(shown)), 'frames and snapshots show the same activeAt.', { view, shown })
    }
    const first = (await one(1)).connectionId
    const second = (await other(1)).connectionId
    await speaks(second, 'the connection that entered last speaks.')
    const used = await one(2, { used: true })
    demand(used.outcome === 'applied', 'a post with used: true is applied, even if nothing else changed.', used)
    await speaks(first, 'a post with used: true makes its connection speak.')
    await other(2, { activity: 'idle' })
    await speaks(first, 'a post with activity: idle does not make its connection speak.')
  },
}

type Poster = (seq: number, change?: object) => ReturnType<Wire['post']>

const activeAtOf = ({ activeAt, at }: Connection) => activeAt ?? at

/** The connection with the highest `activeAt`. The connections are those of one member. */
const speakerOf = (connections: Connection[]) => connections.toSorted((a, b) => activeAtOf(b) - activeAtOf(a))[0]

const byId = (connections: Connection[]) => connections.toSorted((a, b) => (a.connectionId < b.connectionId ? -1 : 1))
