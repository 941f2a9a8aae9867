// The folders whose mutants `npm run mutation` tries, with the tests that must notice them and the goal of its score.
//
// The tests are the fast tests near the folder. With all fast tests the first run without mutants would take minutes, and
// a fault that only a distant test notices is hard to find when somebody makes it by accident.

/** The end-to-end tests of a room on a real server: posts, streams, limits and permissions over HTTP. */
const endToEnd = ['test/e2e/access.test.ts', 'test/e2e/presence.test.ts', 'test/e2e/locks.test.ts']
const wire = ['test/e2e/trpc/same-wire.test.ts', 'test/e2e/trpc/same-stream.test.ts']

export const folders = [
  { folder: 'src/shared', goal: 90, tests: ['test/shared'] },
  {
    folder: 'src/server/rules',
    goal: 90,
    tests: ['test/server/rules', 'test/shared/view.laws.test.ts', 'test/server/hub/clock-steps.test.ts'],
  },
  { folder: 'src/server/backends', goal: 90, tests: ['test/server/backends', 'test/contract/memory.test.ts'] },
  {
    folder: 'src/server/rooms',
    goal: 90,
    tests: ['test/server/rooms', 'test/server/hub', 'test/e2e/event-source.test.ts'],
  },
  { folder: 'src/server/hub', goal: 90, tests: ['test/server/hub', 'test/server/rooms'] },
  { folder: 'src/server/access', goal: 90, tests: ['test/server/access'] },
  { folder: 'src/server/procedures', goal: 90, tests: ['test/server/procedures', ...endToEnd, ...wire] },
  { folder: 'src/server/validation', goal: 90, tests: ['test/server/validation', 'test/e2e/bad-input.test.ts'] },
  { folder: 'src/server/options', goal: 90, tests: ['test/server/options'] },
  { folder: 'src/client/outbox', goal: 90, tests: ['test/client/outbox', 'test/client/room'] },
  { folder: 'src/client/connection', goal: 90, tests: ['test/client/connection', 'test/client/room/room.test.ts'] },
  { folder: 'src/client/store', goal: 90, tests: ['test/client/store', 'test/client/room/room.test.ts'] },
  { folder: 'src/client/room', goal: 90, tests: ['test/client/room', 'test/client/outbox'] },
  { folder: 'src/client/locks', goal: 90, tests: ['test/client/locks'] },
  { folder: 'src/client/browser', goal: 90, tests: ['test/client/browser', 'test/client/room/room.test.ts'] },
  { folder: 'src/client/websocket', goal: 80, tests: ['test/client/websocket', 'test/client/websocket.test.ts'] },
  { folder: 'src/client', goal: 80, tests: ['test/client'] },
  { folder: 'src/server/http', goal: 80, tests: ['test/server/http', ...wire] },
  { folder: 'src/server/websocket', goal: 80, tests: ['test/server/websocket', 'test/e2e/trpc/same-socket.test.ts'] },
  { folder: 'src/server/standalone', goal: 80, tests: ['test/server/standalone', 'test/e2e/access.test.ts'] },
  { folder: 'src/server', goal: 80, tests: ['test/server'] },
  { folder: 'src/react', goal: 80, tests: ['test/react', 'test/bindings/react.test.tsx'] },
  { folder: 'src/bindings', goal: 80, tests: ['test/bindings'] },
  { folder: 'src/vue', goal: 80, tests: ['test/bindings/vue.test.ts'] },
  { folder: 'src/svelte', goal: 80, tests: ['test/bindings/svelte.test.ts'] },
  { folder: 'src/solid', goal: 80, tests: ['test/bindings/solid.test.ts'] },
  { folder: 'src/cli', goal: 80, tests: ['test/cli'] },
  { folder: 'src/testing', goal: 80, tests: ['test/testing', 'test/contract/memory.test.ts'] },
]

/** Returns the entry of a source file: the one with the longest folder that contains the file. */
export function entryOf(file) {
  const containing = folders.filter(({ folder }) => file.startsWith(`${folder}/`))
  return containing.toSorted((a, b) => b.folder.length - a.folder.length)[0]
}
