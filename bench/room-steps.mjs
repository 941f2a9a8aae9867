#!/usr/bin/env node
/*
 * Measures the cost of one post for the rules of a room and for the shared view, with 10, 1,000 and 100,000 members. It
 * must not grow with the number of members.
 *
 *     node bench/room-steps.mjs
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
if (!existsSync(`${here}peers/node_modules/tinybench`))
  spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: `${here}peers`, stdio: 'inherit' })
spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: `${here}..`, stdio: 'inherit' })

const { Bench } = await import('./peers/tinybench.mjs')
// Internal modules, which have no public entry.
const { RoomMachine } = await import('../dist/server/rules/room.js')
const { Timeline } = await import('../dist/server/rules/timeline.js')
const { Frames } = await import('../dist/server/rooms/frames.js')

const rules = { tombstoneMs: 60_000, roomConnections: 1e9, memberConnections: 10 }
const asIs = { serialize: (value) => value }

const postOf = (member, seq, at) => ({
  type: 'post',
  connectionId: `connection-${member}`,
  memberId: `member-${member}`,
  owned: true,
  seq,
  location: { json: `{"x":${at},"y":0}`, value: { x: at, y: 0 } },
  profile: undefined,
  activity: undefined,
  leaseMs: 1e9,
})

/** Creates a room of the given size, and the two steps to measure: applying a post, and making its frame. */
function stage(members) {
  let now = 1
  const room = new RoomMachine('epoch', now, rules)
  for (let member = 0; member < members; member++) room.act([postOf(member, 1, 0)], now, now++)
  const timeline = new Timeline(room.state())
  const frames = new Frames(timeline)
  let seq = 1
  const post = () => {
    seq += 1
    const { commit } = room.act([postOf(seq % members, seq, seq)], now, now++)
    timeline.apply(commit)
    return commit
  }
  const frame = () => {
    const commit = post()
    frames.committed(commit)
    return frames.since(commit.prev).encoded(asIs)
  }
  return { post, frame }
}

const bench = new Bench({ time: 500 })
for (const members of [10, 1_000, 100_000]) {
  const { post, frame } = stage(members)
  bench.add(`a post among ${members.toLocaleString('en')}`, post)
  bench.add(`a post and its frame among ${members.toLocaleString('en')}`, frame)
}
await bench.run()
console.table(bench.table())
