import { Chance } from './chance.js'
import { SimClock } from './sim-clock.js'
import { Laws } from './laws.js'
import { roomId, SimNode } from './sim-node.js'
import { lockPlaces, SimPerson } from './sim-person.js'
import { SimRedis } from './sim-redis.js'

const startMs = 1_767_225_600_000

/** The result of a run: the violations of laws, and how often each kind of event happened. */
export type Report = { wrongs: string[]; counts: Laws['locks']['counts'] & Laws['broadcasts']['counts'] }

/**
 * Runs a store, nodes and people. All but the store is real code, and the seed decides about faults. First there are
 * faults; then they end, and all nodes and clients must converge to the store in bounded time.
 *
 * @param beforeLastLook is called before the nodes are compared with the store for the last time.
 */
export async function simulate(seed: number, beforeLastLook?: (nodes: readonly SimNode[]) => void): Promise<Report> {
  const chance = new Chance(seed)
  const { random } = Math
  // The real code gets its backoffs, slots and keys from the same seed.
  Math.random = chance.next
  crypto.getRandomValues = (bytes) => {
    if (bytes instanceof Uint8Array) bytes.forEach((_, i) => (bytes[i] = 256 * chance.next()))
    return bytes
  }
  try {
    const world = new World(chance)
    const wrongs = await world.run(beforeLastLook)
    return { wrongs, counts: world.counts }
  } finally {
    Math.random = random
    // Removes the replacement, so that the method of the prototype is used again.
    delete (crypto as Partial<Crypto>).getRandomValues
  }
}

class World {
  readonly #chance: Chance
  readonly #clock = new SimClock(startMs)
  readonly #redis: SimRedis
  #nodes: SimNode[]
  readonly #people: SimPerson[] = []
  readonly #wrongs: string[] = []
  readonly #laws = new Laws()
  /** The time at which the store last lost state. */
  #forgotAt = -Infinity

  constructor(chance: Chance) {
    this.#chance = chance
    this.#redis = new SimRedis(this.#clock, chance, this.#laws)
    const count = chance.one([1, 2, 2, 3])
    this.#nodes = Array.from({ length: count }, () => new SimNode(this.#clock, this.#redis))
  }

  get counts(): Report['counts'] {
    return { ...this.#laws.locks.counts, ...this.#laws.broadcasts.counts }
  }

  async run(beforeLastLook?: (nodes: readonly SimNode[]) => void): Promise<string[]> {
    const { weather } = this.#redis
    const isFoul = (most: number) => (this.#chance.is(0.5) ? this.#chance.between(0, most) : 0)
    Object.assign(weather, { lost: isFoul(0.2), twice: isFoul(0.2), late: isFoul(0.2) })
    const roads = { lost: isFoul(0.1), twice: isFoul(0.3), slow: isFoul(0.2) }
    while (this.#people.length < 3) await this.#join(roads)
    const acts = Math.floor(this.#chance.between(20, 70))
    for (let act = 0; act < acts && this.#wrongs.length === 0; act++) {
      await this.#happen(roads)
      await this.#pass(this.#chance.one([1, 20, 300, 1_000, 3_000]))
    }
    Object.assign(weather, { lost: 0, twice: 0, late: 0 })
    Object.assign(roads, { lost: 0, twice: 0, slow: 0 })
    await this.#settle(beforeLastLook)
    for (const node of this.#nodes) node.kill()
    this.#laws.broadcasts.compareOrders()
    const seen = this.#people.flatMap(({ wrongs, name }) => wrongs.map((wrong) => `${name} ${wrong}`))
    return [...this.#wrongs, ...this.#laws.wrongs, ...seen]
  }

  async #join(roads: SimPerson['roads'], memberKey?: string): Promise<SimPerson> {
    const surroundings = { clock: this.#clock, chance: this.#chance, laws: this.#laws, nodes: () => this.#nodes }
    const person = new SimPerson(this.#people.length + 1, surroundings, memberKey)
    person.roads = roads
    this.#people.push(person)
    await person.loaded
    return person
  }

  get #here(): SimPerson[] {
    return this.#people.filter(({ fate }) => fate === 'here')
  }

  async #happen(roads: SimPerson['roads']): Promise<void> {
    const person = this.#chance.one(this.#here)
    const node = this.#chance.one(this.#nodes)
    const roll = this.#chance.next()
    if (roll < 0.25) person?.move()
    else if (roll < 0.55) this.#lockAndSave(person)
    else if (roll < 0.65) this.#say(person)
    else if (roll < 0.69) person?.leave()
    else if (roll < 0.72) person?.crash(this.#chance.is(0.5))
    else if (roll < 0.75) await this.#reload(person, roads)
    else if (roll < 0.77) person?.disown()
    else if (roll < 0.82 && this.#here.length < 5 && this.#people.length < 12)
      await this.#join(roads, this.#chance.is(0.4) ? person?.memberKey : undefined)
    else if (roll < 0.87) person?.cut()
    else if (roll < 0.91) this.#restart(node)
    else if (roll < 0.93) this.#isolate(node)
    else if (roll < 0.95) node.port.lose()
    else if (roll < 0.975) this.#forget(() => this.#redis.failOver())
    else if (roll < 0.985) this.#forget(() => this.#redis.startEmpty())
    else this.#outage()
  }

  #lockAndSave(person: SimPerson | undefined): void {
    const holders = this.#here.filter(({ locks }) => locks.length > 0)
    const roll = this.#chance.next()
    const holder = this.#chance.one(holders)
    const place = this.#chance.one(lockPlaces)
    if (roll < 0.4 || !holder) person?.lock(place, this.#chance.is(0.2))
    else if (roll < 0.75) void holder.save(this.#chance.one(holder.locks))
    else if (roll < 0.9) this.#saveAndRelease(holder)
    else if (roll < 0.95)
      void this.#chance
        .one(this.#nodes)
        .release(place)
        .catch(() => {})
    else holder.become(this.#chance.is(0.5) ? 'idle' : 'active')
  }

  /** Releases a lock without waiting for the save, as some apps do: another person may save before the save arrives. */
  #saveAndRelease(holder: SimPerson): void {
    if (this.#chance.is(0.6)) void holder.save(holder.locks[0]!)
    const place = holder.locks[0]!.location
    holder.release()
    const others = this.#here.filter((person) => person !== holder)
    if (this.#chance.is(0.5)) this.#chance.one(others)?.lock(place, false)
  }

  #say(person: SimPerson | undefined): void {
    const to = this.#chance.is(0.3) ? this.#chance.one(this.#people).memberId : null
    if (this.#chance.is(0.9)) person?.say(to)
    else
      void this.#chance
        .one(this.#nodes)
        .announce(this.#laws.broadcasts.say(null))
        .catch(() => {})
  }

  /** Replaces a page by a new one of the same member, mostly within the grace period. The new page wants the locks. */
  async #reload(person: SimPerson | undefined, roads: SimPerson['roads']): Promise<void> {
    if (!person || this.#people.length >= 12) return
    const places = person.locks.map(({ location }) => location)
    person.unload()
    await this.#pass(this.#chance.between(20, 4_000))
    const page = await this.#join(roads, person.memberKey)
    for (const place of places) page.lock(place, false)
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

  /** Advances the time, and checks the laws that must hold at any time. */
  async #pass(ms: number): Promise<void> {
    await this.#clock.run(ms)
    for (const person of this.#here)
      for (const { location, fence } of person.locks)
        if (!this.#laws.locks.isCredible(location, fence, this.#clock.wallMs()))
          this.#wrongs.push(`${person.name} still believes in its lock of ${location}`)
    const state = this.#redis.state()
    for (const person of this.#people) {
      const { leftAt, connectionId, name } = person
      if (leftAt === null || leftAt <= this.#forgotAt) continue
      if (state?.connections.some((known) => known.connectionId === connectionId))
        this.#wrongs.push(`${name} left, and is there again`)
    }
  }

  /**
   * Checks convergence without faults. Nodes converge within moments. Clients may take longer: they retry after up to
   * three heartbeats, may find a new epoch, and show missing members for another lease and heartbeat.
   */
  async #settle(beforeLastLook?: (nodes: readonly SimNode[]) => void): Promise<void> {
    await this.#pass(8_000)
    for (const person of this.#here) person.become('active')
    // The announcement of this last change is lost. After it there are only renewals of leases.
    this.#here[0]?.move()
    this.#redis.weather.lost = 1
    await this.#pass(60)
    this.#redis.weather.lost = 0
    await this.#pass(4_500)
    await this.#compareNodes()
    for (let second = 0; second < 60; second++) await this.#pass(1_000)
    this.#compareLocks()
    // A place without a holder can be locked by everyone.
    const here = this.#here
    for (const place of lockPlaces) if (here.length > 0) this.#chance.one(here).lock(place, false)
    await this.#pass(1_000)
    for (const place of lockPlaces)
      if (here.length > 0 && !this.#holderOf(place)) this.#wrongs.push(`nobody got ${place}`)
    this.#compareLocks()
    this.#comparePeople()
    beforeLastLook?.(this.#nodes)
    await this.#pass(100)
    await this.#compareNodes()
  }

  #comparePeople(): void {
    const here = this.#here
    const state = this.#redis.state()
    const sorted = (places: unknown[]) => places.map(String).toSorted().join()
    const stored = sorted((state?.connections ?? []).map(({ location }) => location))
    const expected = sorted(here.map(({ place }) => place))
    if (stored !== expected) this.#wrongs.push(`stored ${stored}, not ${expected}`)
    for (const person of here) {
      const fault = state && person.faultAt(`${state.epoch}.${state.version}`)
      if (fault) this.#wrongs.push(`in the end ${person.name} ${fault}`)
      if (!person.isLive) this.#wrongs.push(`${person.name} is not live`)
    }
  }

  #holderOf(place: number) {
    const connections = this.#redis.state()?.connections ?? []
    return connections.find(({ locks = [] }) => locks.some(({ location }) => location === place))
  }

  /** Checks that exactly the holders in the store believe that they hold their locks. */
  #compareLocks(): void {
    const held = (this.#redis.state()?.connections ?? []).flatMap(({ connectionId, locks = [] }) =>
      locks.map(({ location, fence }) => `${connectionId} ${String(location)} ${fence}`),
    )
    const believed = this.#here.flatMap(({ connectionId, locks }) =>
      locks.map(({ location, fence }) => `${connectionId} ${location} ${fence}`),
    )
    const [stored, said] = [held, believed].map((each) => each.toSorted().join())
    if (stored !== said) this.#wrongs.push(`the store knows the locks ${stored}, their holders ${said}`)
  }

  async #compareNodes(): Promise<void> {
    let answers = 0
    for (const { hub } of this.#nodes) {
      const compared = hub.use(roomId, ({ timeline }) => {
        answers += 1
        const { epoch, version } = this.#redis.state()!
        // The commit of a lease that just ended may still be on its way to the node.
        if (this.#clock.wallMs() - version / 1_000 < 100) return
        if (timeline.id() !== `${epoch}.${version}`)
          this.#wrongs.push(`a node is at ${timeline.id()}, the store at ${epoch}.${version}`)
      })
      compared.catch((thrown: unknown) => this.#wrongs.push(`a node cannot be asked: ${String(thrown)}`))
    }
    // A node that does not have the room open asks the store for it.
    for (let waits = 0; waits < 10 && answers < this.#nodes.length; waits++) await this.#pass(100)
    if (answers < this.#nodes.length) this.#wrongs.push('a node does not answer')
  }
}
