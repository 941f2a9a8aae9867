import { applyEvent, View, type Connection } from '../../shared/index.js'
import { demand } from './demand.js'
import { idOf, type Heard, type OpenStream, type Wire } from './http-client.js'

type StreamInput = { room: string; connectionKey?: string }

/** A stream and the view that its events build. Every event is checked against the one before. */
export class Viewer implements AsyncDisposable {
  readonly view: View
  readonly stream: OpenStream
  readonly hello: Extract<Heard['event'], { type: 'hello' }>
  readonly helloId: string

  private constructor(view: View, stream: OpenStream, { id, event }: Heard) {
    demand(event.type === 'hello', 'a stream begins with hello.', event)
    this.view = view
    this.stream = stream
    this.hello = event
    this.helloId = id
  }

  /** Opens a stream, which resumes from `view` if that has an id, and reads hello. */
  static async open(wire: Wire, input: StreamInput, view = new View()): Promise<Viewer> {
    const stream = await wire.open({ ...input, ...(view.id !== null && { lastEventId: view.id }) })
    return new Viewer(view, stream, await stream.next())
  }

  /** Opens a stream and reads hello and the snapshot. */
  static async see(wire: Wire, input: StreamInput): Promise<Viewer> {
    const viewer = await Viewer.open(wire, input)
    const { event } = await viewer.next()
    demand(event.type === 'snapshot', 'a stream without an id sends a snapshot after hello.', event)
    return viewer
  }

  /** The connections of the view. */
  get connections(): Connection[] {
    return [...this.view.connections.values()]
  }

  get(connectionId: string): Connection | undefined {
    return this.view.connections.get(connectionId)
  }

  /** Returns the next event and applies it to the view. */
  async next(withinMs?: number, rule?: string): Promise<Heard> {
    const heard = await this.stream.next(withinMs, rule)
    const { id, event } = heard
    const held = this.view.id
    const advances = event.type === 'snapshot' || event.type === 'changes'
    if (held !== null && event.type === 'changes') {
      demand(event.from === held, 'changes.from is the id that the viewer holds.', { held, from: event.from })
      const isOneEpoch = idOf(held).epoch === idOf(id).epoch
      demand(isOneEpoch, 'changes stay in the epoch of the id that they start from.', { held, id })
      demand(idOf(held).version < idOf(id).version, 'versions strictly increase within an epoch.', { held, id })
    }
    if (held !== null && !advances && event.type !== 'hello')
      demand(id === held, 'only snapshot and changes advance the id.', { held, id, type: event.type })
    const applied = applyEvent(this.view, id, event)
    const because = 'a view that applied every event equals the room (count and digest of the heartbeat).'
    if (applied.outcome === 'diverged') demand(false, because, { ...heard, held, holding: this.connections })
    return heard
  }

  /** Returns the next `changes` or `snapshot`. */
  async change(withinMs?: number, rule?: string): Promise<Heard> {
    for (;;) {
      const heard = await this.next(withinMs, rule)
      if (heard.event.type === 'changes' || heard.event.type === 'snapshot') return heard
    }
  }

  /** Reads events until `holds` returns true. */
  async until(rule: string, holds: () => boolean, withinMs?: number): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs ?? 60_000)
    while (!holds()) {
      demand(!deadline.aborted, rule, this.connections)
      await this.next(withinMs, rule)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.close()
  }
}

/** Returns the connections of a room from a snapshot. */
export async function connectionsIn(wire: Wire, room: string): Promise<Connection[]> {
  const { event } = await wire.get({ room })
  demand(event.type === 'snapshot', 'getLocations without an id answers a snapshot.', event)
  return event.connections
}
