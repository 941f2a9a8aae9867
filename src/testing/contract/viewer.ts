import { applyEvent, View, type Connection } from '../../shared/index.js'
import { demand } from './demand.js'
import { idOf, type Heard, type OpenStream, type Wire } from './http-client.js'

type StreamInput = { room: string; connectionKey?: string }

/** A stream, and the room as it tells of it; every event is held against the one before. */
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

  /** Opens a stream, which goes on from a view if there is one; the first thing that it brings is hello. */
  static async open(wire: Wire, input: StreamInput, view = new View()): Promise<Viewer> {
    const stream = await wire.open({ ...input, ...(view.id !== null && { lastEventId: view.id }) })
    return new Viewer(view, stream, await stream.next())
  }

  /** Opens a stream, and has its snapshot. */
  static async see(wire: Wire, input: StreamInput): Promise<Viewer> {
    const viewer = await Viewer.open(wire, input)
    const { event } = await viewer.next()
    demand(event.type === 'snapshot', 'after hello, a stream without an id brings a snapshot.', event)
    return viewer
  }

  /** The connections in sight. */
  get connections(): Connection[] {
    return [...this.view.connections.values()]
  }

  get(connectionId: string): Connection | undefined {
    return this.view.connections.get(connectionId)
  }

  /** The next event, taken in. */
  async next(withinMs?: number, rule?: string): Promise<Heard> {
    const heard = await this.stream.next(withinMs, rule)
    const { id, event } = heard
    const held = this.view.id
    const advances = event.type === 'snapshot' || event.type === 'changes'
    if (held !== null && event.type === 'changes') {
      demand(event.from === held, 'changes.from is the id that the viewer holds.', { held, from: event.from })
      const isOneEpoch = idOf(held).epoch === idOf(id).epoch
      demand(isOneEpoch, 'changes keep the epoch of the id they start at.', { held, id })
      demand(idOf(held).version < idOf(id).version, 'versions only grow within an epoch.', { held, id })
    }
    if (held !== null && !advances && event.type !== 'hello')
      demand(id === held, 'only snapshot and changes advance the id.', { held, id, type: event.type })
    const applied = applyEvent(this.view, id, event)
    const because = 'a viewer who took in every event holds exactly the room (count and digest of the beat).'
    if (applied.outcome === 'diverged') demand(false, because, { ...heard, held, holding: this.connections })
    return heard
  }

  /** The next event that says who is where. */
  async change(withinMs?: number, rule?: string): Promise<Heard> {
    for (;;) {
      const heard = await this.next(withinMs, rule)
      if (heard.event.type === 'changes' || heard.event.type === 'snapshot') return heard
    }
  }

  /** Reads on until the view is as it must be. */
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
