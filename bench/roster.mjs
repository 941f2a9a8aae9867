#!/usr/bin/env node
/*
 * Measures the cost of a frame for a client's roster, compared with grouping all members again. The cost must depend on the
 * number of moves. Only copying the member list may grow with the number of members.
 *
 *     node bench/roster.mjs
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
const { Roster } = await import('../dist/client/store/roster.js')
const { View } = await import('../dist/shared/view.js')

const own = { connectionId: null, memberId: null, draft: null, since: null }
const connectionOf = (member, at) => ({
  connectionId: `connection-${member}`,
  memberId: `member-${member}`,
  profile: { name: `Member ${member}` },
  location: { sheet: 'Q3', row: (member * 7 + at) % 1_000, col: at % 26 },
  activity: 'active',
  at,
})

/** Creates the roster of a room: `frame` applies a frame of moves, and `again` groups all members again. */
function stage(members) {
  const view = new View()
  const roster = new Roster()
  let at = 1
  const set = (member) => view.set(`connection-${member}`, connectionOf(member, at))
  roster.update(
    view,
    own,
    Array.from({ length: members }, (_, member) => set(member)),
    false,
  )
  const place = connectionOf(0, at).location
  // The index by location is maintained from the first query on.
  roster.membersAt(place)
  return {
    frame(moves) {
      at += 1
      roster.update(
        view,
        own,
        Array.from({ length: moves }, (_, i) => set((at * moves + i) % members)),
        false,
      )
    },
    again() {
      const all = Array.from(view.connections.values(), (current) => ({
        connectionId: current.connectionId,
        previous: null,
        current,
      }))
      const anew = new Roster()
      anew.update(view, own, all, false)
      anew.membersAt(place)
    },
  }
}

const bench = new Bench({ time: 500 })
for (const members of [200, 1_000, 10_000]) {
  const { frame, again } = stage(members)
  const among = `among ${members.toLocaleString('en')}`
  for (const moves of [20, 200]) bench.add(`a frame of ${moves} moves ${among}`, () => frame(moves))
  bench.add(`grouping all again ${among}`, again)
}
await bench.run()
console.table(bench.table())
