import { Chance } from './chance.js'
import { SimClock } from './sim-clock.js'
import type { LiveRoom } from '../../src/server/rooms/live-room.js'
import { roomId, SimNode } from './sim-node.js'
import { SimPerson } from './sim-person.js'
import { SimRedis } from './sim-redis.js'

const startMs = 1_767_225_600_000

/**
 * A store, nodes and people, all of the real code but the store, and a seed that decides what goes wrong. First there is
 * chaos; then all is well, and everybody must come to the truth in bounded time. Returns what was not as promised.
 */
export async function simulate(seed: number): Promise<string[]> {
  const chance = new Chance(seed)
  const random = Math.random
  // Backoffs and slots of the real code go by the same chance.
  Math.random = chance.next
  try {
    return await new World(chance).run()
  } finally {
    Math.random = random
  }
}

class World {
  readonly #chance: Chance
  readonly #clock = new SimClock(startMs)
  readonly #redis: SimRedis
  #nodes: SimNode[]
  readonly #people: SimPerson[] = []
  readonly #wrongs: string[] = []
  /** When the store last lost what it had been told. */
  #forgotAt = -Infinity

  constructor(chance: Chance) {
    this.#chance = chance
    this.#redis = new SimRedis(this.#clock, chance)
    const count = chance.one([1, 2, 2, 3])
    this.#nodes = Array.from({ length: count }, () => new SimNode(this.#clock, this.#redis))
  }

  async run(): Promise<string[]> {
    const { weather } = this.#redis
    const isFoul = (most: number) => (this.#chance.is(0.5) ? this.#chance.between(0, most) : 0)
    Object.assign(weather, { lost: isFoul(0.2), twice: isFoul(0.2), late: isFoul(0.2) })
    const roads = { lost: isFoul(0.1), twice: isFoul(0.3), slow: isFoul(0.2) }
    this.#join(3)
    for (const person of this.#people) person.roads = roads
    const acts = Math.floor(this.#chance.between(10, 40))
    for (let act = 0; act < acts && this.#wrongs.length === 0; act++) {
      this.#happen(roads)
      await this.#pass(this.#chance.one([1, 20, 300, 1_000, 3_000]))
    }
    Object.assign(weather, { lost: 0, twice: 0, late: 0 })
    Object.assign(roads, { lost: 0, twice: 0, slow: 0 })
    await this.#settle()
    for (const node of this.#nodes) node.kill()
    return [...this.#wrongs, ...this.#people.flatMap(({ wrongs, name }) => wrongs.map((wrong) => `${name} ${wrong}`))]
  }

  #join(count: number): void {
    for (let i = 0; i < count; i++)
      this.#people.push(new SimPerson(this.#people.length + 1, this.#clock, this.#chance, () => this.#nodes))
  }

  #happen(roads: SimPerson['roads']): void {
    const here = this.#people.filter(({ fate }) => fate === 'here')
    const person = this.#chance.one(here)
    const node = this.#chance.one(this.#nodes)
    const roll = this.#chance.next()
    if (roll < 0.55) person?.move()
    else if (roll < 0.62) person?.leave()
    else if (roll < 0.66) person?.crash(this.#chance.is(0.5))
    else if (roll < 0.74 && this.#people.length < 7) {
      this.#join(1)
      this.#people.at(-1)!.roads = roads
    } else if (roll < 0.8) person?.cut()
    else if (roll < 0.85) this.#restart(node)
    else if (roll < 0.89) this.#isolate(node)
    else if (roll < 0.92) node.port.lose()
    else if (roll < 0.95) this.#forget(() => this.#redis.failOver())
    else if (roll < 0.97) this.#forget(() => this.#redis.startEmpty())
    else this.#outage()
  }

  #restart(node: SimNode): void {
    node.kill()
    for (const person of this.#people) person.cut()
    this.#nodes = this.#nodes.filter((each) => each !== node)
    this.#nodes.push(new SimNode(this.#clock, this.#redis))
  }

  #isolate(node: SimNode): void {
    node.port.isCut = true
    this.#clock.after(this.#chance.between(100, 5_000), () => {
      if (node.isDead) return
      node.port.isCut = false
      node.port.lose()
    })
  }

  #outage(): void {
    this.#redis.isDown = true
    this.#clock.after(this.#chance.between(100, 4_000), () => (this.#redis.isDown = false))
  }

  #forget(how: () => void): void {
    how()
    this.#forgotAt = this.#clock.now()
  }

  /** Time goes on, and what must hold at any time is looked at. */
  async #pass(ms: number): Promise<void> {
    await this.#clock.run(ms)
    const state = this.#redis.state()
    for (const person of this.#people) {
      const { leftAt, connectionId, name } = person
      if (leftAt === null || leftAt <= this.#forgotAt) continue
      if (state?.connections.some((known) => known.connectionId === connectionId))
        this.#wrongs.push(`${name} left, and is there again`)
    }
  }

  /**
   * All is well from now on: nodes know the room within moments. People may wait three beats until they try again, find then
   * that the room began anew, and keep those in sight for a lease and a beat whom they miss.
   */
  async #settle(): Promise<void> {
    await this.#pass(8_000)
    // The last words are said; from here the room is silent but for renewals.
    this.#people.find(({ fate }) => fate === 'here')?.move()
    this.#redis.weather.lost = 1
    await this.#pass(60)
    this.#redis.weather.lost = 0
    await this.#pass(4_500)
    this.#compareNodes()
    for (let second = 0; second < 60; second++) await this.#pass(1_000)
    this.#compareNodes()
    const here = this.#people.filter(({ fate }) => fate === 'here')
    const truth = (state: { connections: { location: unknown }[] } | undefined) =>
      (state?.connections ?? [])
        .map(({ location }) => String(location))
        .toSorted()
        .join()
    const expected = here
      .map(({ place }) => String(place))
      .toSorted()
      .join()
    const stored = truth(this.#redis.state())
    if (stored !== expected) this.#wrongs.push(`stored ${stored}, not ${expected}`)
    for (const person of here) {
      const others = here.filter((each) => each !== person)
      const theirs = others
        .map(({ place }) => String(place))
        .toSorted()
        .join()
      if (person.seen !== theirs) this.#wrongs.push(`${person.name} sees ${person.seen}, not ${theirs}`)
      if (!person.isLive) this.#wrongs.push(`${person.name} is not live`)
    }
  }

  #compareNodes(): void {
    for (const { hub } of this.#nodes) {
      const compare = ({ timeline }: LiveRoom) => {
        const { epoch, version } = this.#redis.state()!
        // A lease that ended just now is still on its way.
        if (this.#clock.wallMs() - version / 1_000 < 100) return
        if (timeline.id() !== `${epoch}.${version}`)
          this.#wrongs.push(`a node is at ${timeline.id()}, the store at ${epoch}.${version}`)
      }
      void hub.use(roomId, compare)
    }
  }
}
