import type { LocationClient } from 'hereabouts/client'
import type { Types } from './binding.js'

/** A client that notes which rooms are joined, watched and left. */
export function recording(client: LocationClient<Types>, calls: string[]): LocationClient<Types> {
  const noted = <R extends { leave(): Promise<void> }>(call: string, id: string, room: R): R => {
    calls.push(`${call} ${id}`)
    return Object.create(room, {
      leave: {
        value() {
          calls.push(`leave ${id}`)
          return room.leave()
        },
      },
    }) as R
  }
  return {
    ...client,
    join: (id, options) => noted('join', id, client.join(id, options)),
    watch: (id, options) => noted('watch', id, client.watch(id, options)),
  }
}
