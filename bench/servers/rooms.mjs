/* The state that the peer servers keep: the members of each room and their locations, for new subscribers. */

export class Rooms {
  #rooms = new Map()

  of(id) {
    let room = this.#rooms.get(id)
    if (!room) this.#rooms.set(id, (room = { clients: new Set(), locations: new Map() }))
    return room
  }
}

/** Reads a JSON body. */
export function jsonOf(request) {
  return new Promise((resolve, reject) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => resolve(JSON.parse(Buffer.concat(chunks))))
    request.on('error', reject)
  })
}
