/* What the peers keep: who is in which room and where, so that whoever comes sees who is there. */

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
