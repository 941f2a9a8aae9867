/* The scenarios for every contestant. `quick` selects short versions. */

const everyone = ['hereabouts', 'websocket', 'bare', 'ws', 'socket-io', 'better-sse', 'trpc', 'trpc-guide', 'nestjs']
const few = ['hereabouts', 'websocket', 'bare', 'socket-io']
/** Adds `compressed` to the contestants of a scenario whose frames contain many members and are worth compressing. */
const and = (contestants) => contestants.flatMap((name) => (name === 'hereabouts' ? [name, 'compressed'] : [name]))

const manyRooms = (count, size) =>
  Array.from({ length: count }, (_, i) => ({ id: `room-${i}`, members: size, watchers: 0 }))

/** @param quick true for short versions that take seconds. */
export const scenarios = (quick) => {
  const flow = { kind: 'flow', warmMs: quick ? 200 : 1_000, windowMs: quick ? 400 : 2_500, rounds: quick ? 1 : 3 }
  const stalled = {
    ...flow,
    kind: 'stalled',
    rooms: [{ id: 'room', members: quick ? 50 : 200, watchers: quick ? 5 : 50 }],
    perSecond: 10,
    windowMs: quick ? 1_000 : 60_000,
    rounds: 1,
  }
  return [
    {
      ...flow,
      name: 'fan-out',
      title: quick ? '1 room, 200 streams, 50 posts/s' : '1 room, 1,000 streams, 100 posts/s',
      rooms: [quick ? { id: 'room', members: 5, watchers: 195 } : { id: 'room', members: 10, watchers: 990 }],
      perSecond: 10,
      contestants: everyone,
    },
    {
      ...flow,
      name: 'hot-room',
      title: quick ? '50 members, each 10 posts/s' : '200 members, each 10 posts/s',
      rooms: [{ id: 'room', members: quick ? 50 : 200, watchers: 0 }],
      perSecond: 10,
      contestants: and(quick ? few : everyone),
    },
    {
      ...flow,
      name: 'small-rooms',
      title: quick ? '50 rooms of 4, 400 posts/s in all' : '500 rooms of 4, 4,000 posts/s in all',
      rooms: manyRooms(quick ? 50 : 500, 4),
      perSecond: 2,
      contestants: quick ? few : everyone,
    },
    {
      ...flow,
      name: 'huge-room',
      title: quick ? '100 members, each 10 posts/s' : '500 members, each 10 posts/s',
      rooms: [{ id: 'room', members: quick ? 100 : 500, watchers: 0 }],
      perSecond: 10,
      contestants: and(few),
    },
    {
      ...flow,
      name: 'pointers',
      title: quick ? '50 members, each 20 pointer moves/s' : '200 members, each 20 pointer moves/s',
      rooms: [{ id: 'room', members: quick ? 50 : 200, watchers: 0 }],
      perSecond: 20,
      contestants: ['hereabouts', 'pointers'],
      ratio: {
        what: 'CPU per delivered update',
        figure: 'cpuMicrosPerUpdate',
        of: 'pointers',
        to: 'hereabouts',
        most: 1.3,
      },
    },
    {
      ...flow,
      name: 'session-lookup',
      title: '20 members, each 10 pointer moves/s, and a session look-up of 1 ms',
      rooms: [{ id: 'room', members: 20, watchers: 0 }],
      perSecond: 10,
      contestants: ['pointers', 'looked-up'],
      ratio: { what: 'CPU per post', figure: 'cpuMicrosPerPost', of: 'looked-up', to: 'pointers' },
    },
    {
      ...flow,
      name: 'broadcast-storm',
      title: quick
        ? '50 members, each 10 posts/s and 10 broadcasts/s'
        : '100 members, each 10 posts/s and 10 broadcasts/s',
      rooms: [{ id: 'room', members: quick ? 50 : 100, watchers: 0 }],
      perSecond: 10,
      contestants: ['hereabouts', 'storm'],
      ratio: { what: 'p99 of state frames', figure: 'p99', of: 'storm', to: 'hereabouts', most: 1.2 },
    },
    {
      kind: 'idle',
      name: 'idle',
      title: quick ? '500 idle streams' : '10,000 idle streams',
      rooms: manyRooms(quick ? 25 : 500, 0).map((room) => ({ ...room, watchers: 20 })),
      warmMs: quick ? 300 : 5_000,
      rounds: 1,
      contestants: [...few, 'ws', ...(quick ? [] : ['trpc'])],
    },
    {
      kind: 'joins',
      name: 'join-storm',
      title: quick ? '200 joins in 0.2 s into a room of 50' : '2,000 joins in 2 s into a room of 200',
      rooms: [{ id: 'room', members: quick ? 50 : 200, watchers: 0 }],
      joins: quick ? 200 : 2_000,
      perSecond: 1_000,
      warmMs: quick ? 300 : 1_500,
      rounds: quick ? 1 : 3,
      contestants: quick ? few : [...few, 'trpc'],
    },
    {
      ...stalled,
      name: 'stalled',
      title: quick
        ? '50 members, 5 readers that stall'
        : '200 members each 10 posts/s, of 50 more readers 0, 1 or 50 stall for 60 s',
      stalls: quick ? [0, 5] : [0, 1, 50],
      // The numbers of stalled readers for all contestants but Hereabouts: only the worst case, which takes a minute
      // each.
      peerStalls: quick ? [5] : [50],
      contestants: quick ? ['hereabouts', 'websocket', 'bare'] : ['hereabouts', 'websocket', 'bare', 'socket-io'],
    },
  ]
}
