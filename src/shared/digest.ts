/*
 * cyrb53 by bryc, seed 0 (https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js, public domain), as
 * its two 32-bit lanes. It detects lost events and is no protection against an adversary.
 */
function cyrb53(text: string): readonly [h1: number, h2: number] {
  let h1 = 0xdeadbeef
  let h2 = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    h1 = Math.imul(h1 ^ code, 2654435761)
    h2 = Math.imul(h2 ^ code, 1597334677)
  }
  h1 = mixed(h1, h2)
  h2 = mixed(h2, h1)
  return [h1, h2]
}

const mixed = (a: number, b: number) => Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)

const hex = (lane: number) => (lane >>> 0).toString(16).padStart(8, '0')

/** The fingerprint of a room: of its connections and the version of each, whatever their order. */
export class Digest {
  #h1 = 0
  #h2 = 0

  /** Adds a connection to the fingerprint, or removes it when it was added before. */
  toggle(connection: { connectionId: string; at: number }): void {
    const [h1, h2] = cyrb53(`${connection.connectionId}:${connection.at}`)
    this.#h1 ^= h1
    this.#h2 ^= h2
  }

  /** Returns the fingerprint as 16 hex digits: the lane h2, then the lane h1. */
  toString(): string {
    return hex(this.#h2) + hex(this.#h1)
  }
}
