import type { ConnectionOptions } from '../../src/client/connection/connection.js'
import type { Clock } from '../../src/shared/clock.js'
import type { CellTypes } from './cell-types.js'

/** Returns the options of a connection that nobody listens to, apart from its streams and polls. */
export const quietConnection = (clock: Clock): Omit<ConnectionOptions<CellTypes>, 'open' | 'poll'> => ({
  clock,
  greeted() {},
  heard() {},
  received: () => ({ outcome: 'ignored' }) as never,
  beaten() {},
  changed() {},
  context: () => ({ now: clock.now(), random: 0.5, beatMs: 10_000 }),
  deadlineMs: () => 20_000,
})
