import type { Clock } from '../../src/shared/clock.js'
import { LocationError } from 'hereabouts'
import type {
  GetLocationsOutput,
  OnLocationInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../src/shared/call-types.js'
import { connectionIdOf } from '../../src/server/rules/ids.js'
import { openRoom, type JoinedRoom } from '../../src/client/room/room.js'
import type { Transport } from '../../src/client/connection/transport.js'
import type { StreamListener } from '../../src/client/connection/stream-types.js'
import type { Chance } from './chance.js'
import type { SimClock } from './sim-clock.js'
import { roomId, type SimEvent, type SimNode, type SimTypes } from './sim-node.js'

/** The probabilities of faults between people and nodes. */
export type Roads = { lost: number; twice: number; slow: number }

/** Somebody with our real client, on roads of chance. Their places count up, so that a step back can be seen. */
export class SimPerson {
  readonly name: number
  /** The newest place that they posted. */
  newest = 0
  fate: 'here' | 'crashed' | 'left' = 'here'
  /** When they said so; `null` until that was acknowledged. */
  leftAt: number | null = null
  connectionId = ''
  /** The violations that this person observed. */
  readonly wrongs: string[] = []
  roads: Roads = { lost: 0, twice: 0, slow: 0 }
  readonly #clock: SimClock
  readonly #chance: Chance
  readonly #nodes: () => SimNode[]
  readonly #room: JoinedRoom<SimTypes>
  readonly #close: () => Promise<void>
  readonly #streams = new Set<() => void>()
  readonly #shown = new Map<string, number>()
  #epoch = ''

  constructor(name: number, clock: SimClock, chance: Chance, nodes: () => SimNode[]) {
    this.name = name
    this.#clock = clock
    this.#chance = chance
    this.#nodes = nodes
    const mine: Clock = {
      now: () => clock.now(),
      date: () => clock.date(),
      // A crashed person does nothing more.
      after: (ms, run) => clock.after(ms, () => this.fate !== 'crashed' && run()),
    }
    const wire: Transport<SimTypes> = {
      clock: mine,
      memberKey: String(name).padStart(22, '-'),
      url: 'http://simulated',
      shareStream: null,
      lostMs: 5_000,
      idleMs: 60_000,
      awayMs: 0,
      ask: ({ lastEventId }, deadlineMs) => this.#within(deadlineMs, this.#ask(lastEventId)),
      openStream: (input, listener) => this.#openStream(input, listener),
      post: (input, deadlineMs) => this.#within(deadlineMs, this.#post(input)),
      call: async () => ({ outcome: 'absent' }),
      leave: ({ connectionKey, seq }) => this.#leave(connectionKey!, seq),
      report: (thrown) => void this.wrongs.push(String(thrown)),
    }
    const opened = openRoom<SimTypes>(roomId, wire, { location: name * 1_000 }, undefined)
    this.#room = opened.room
    this.#close = opened.close
  }

  /** The members that this person sees, with their locations. */
  get seen(): string {
    const others = this.#room.others.flatMap(({ location, connections }) =>
      connections.some(({ stale }) => stale) ? ['stale'] : [String(location)],
    )
    return others.toSorted().join()
  }

  get isLive(): boolean {
    return this.#room.status.state === 'live'
  }

  /** Places of one person are a thousand apart from those of another. */
  move(): void {
    this.newest++
    this.#room.post(this.place)
  }

  get place(): number {
    return this.name * 1_000 + this.newest
  }

  leave(): void {
    this.fate = 'left'
    void this.#close()
  }

  /** Gone without a word; `halfOpen`: and nobody is told, not even by the network. */
  crash(halfOpen: boolean): void {
    this.fate = 'crashed'
    if (!halfOpen) for (const cut of this.#streams) cut()
  }

  /** The network cuts their streams. */
  cut(): void {
    for (const cut of this.#streams) cut()
  }

  #openStream(input: OnLocationInput, listener: StreamListener<SimTypes>): () => void {
    const node = this.#chance.one(this.#nodes())
    if (input.connectionKey) this.connectionId = connectionIdOf(input.connectionKey)
    let isOpen = true
    let leaveNode = () => {}
    const cut = () => {
      if (!isOpen) return
      close()
      this.#clock.after(this.#chance.between(1, 50), () => {
        // A crashed person hears nothing, and so does not begin to poll.
        if (this.fate === 'crashed') return
        listener.ended({ error: new LocationError('network', 'The stream was cut.'), retry: true })
      })
    }
    const close = () => {
      isOpen = false
      this.#streams.delete(cut)
      leaveNode()
    }
    this.#streams.add(cut)
    const attach = async () => {
      await this.#travel(node)
      const subscriber = await node.subscribe(input)
      leaveNode = () => subscriber.close()
      if (!isOpen) return leaveNode()
      let arrivesAt = 0
      const drain = () => {
        for (let frame = subscriber.take(); frame; frame = subscriber.take()) {
          const { id, event } = frame
          arrivesAt = Math.max(arrivesAt, this.#clock.now() + this.#chance.between(0.5, 20))
          this.#clock.after(arrivesAt - this.#clock.now(), () => {
            if (!isOpen || node.isDead || this.fate === 'crashed') return
            listener.heard()
            listener.event(id, event as SimEvent)
            if (event.type === 'snapshot' || event.type === 'changes') this.#watch(id)
          })
        }
        if (subscriber.isClosed) this.#clock.after(20, cut)
      }
      subscriber.onOwed = drain
      drain()
    }
    attach().catch(cut)
    return close
  }

  /** Nobody is seen to go back, unless the room began anew. */
  #watch(id: string): void {
    const epoch = id.split('.')[0]!
    if (epoch !== this.#epoch) this.#shown.clear()
    this.#epoch = epoch
    for (const { connections } of this.#room.others) {
      for (const { connectionId, location, stale } of connections) {
        if (location === null || stale) continue
        const before = this.#shown.get(connectionId) ?? 0
        if (location < before) this.wrongs.push(`saw ${connectionId} go back from ${before} to ${location}`)
        this.#shown.set(connectionId, location)
      }
    }
  }

  async #ask(lastEventId: string | null | undefined): Promise<GetLocationsOutput<SimTypes>> {
    const node = this.#chance.one(this.#nodes())
    await this.#travel(node)
    return node.ask(lastEventId)
  }

  async #post(input: PostLocationInput<SimTypes>): Promise<PostLocationOutput> {
    const node = this.#chance.one(this.#nodes())
    // Some proxy tries again by itself, much later and elsewhere.
    if (this.#chance.is(this.roads.twice)) {
      const again = this.#chance.one(this.#nodes())
      this.#clock.after(this.#chance.between(10, 15_000), () => void again.post(input).catch(() => {}))
    }
    await this.#travel(node)
    const reply = await node.post(input)
    await this.#travel(node)
    return reply
  }

  async #leave(connectionKey: string, seq: number | undefined): Promise<void> {
    const node = this.#chance.one(this.#nodes())
    const sentAt = this.#clock.now()
    await this.#clock.pass(this.#chance.between(0.5, 20))
    // Not every client says which of its posts was the last.
    await node.leave(connectionKey, this.#chance.is(0.5) ? seq : undefined)
    this.leftAt = sentAt
  }

  #within<T>(deadlineMs: number, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#clock.after(deadlineMs, () => reject(new Error('no answer in time')))
      answer.then(resolve, reject)
    })
  }

  async #travel(node: SimNode): Promise<void> {
    const isSlow = this.#chance.is(this.roads.slow)
    await this.#clock.pass(isSlow ? this.#chance.between(20, 8_000) : this.#chance.between(0.5, 20))
    if (node.isDead || this.#chance.is(this.roads.lost)) throw new Error('lost')
  }
}
