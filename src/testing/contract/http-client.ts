import type { DataTransformer } from '../../client/index.js'
import type {
  BroadcastToRoomOutput,
  CountMembersOutput,
  GetLocationsOutput,
  LeaveRoomOutput,
  LocationEvent,
  LockLocationInput,
  LockLocationOutput,
  PostLocationInput,
  PostLocationOutput,
  UnlockLocationOutput,
} from '../../shared/index.js'
import { demand, inTime, passing } from './demand.js'
import { messagesOf, type Message } from './event-stream.js'
import { SocketWire } from './socket-wire.js'
import { defaultTiming, type ContractTarget, type ContractTiming } from './target.js'

/** The answer to a call. A refusal has tRPC's code, such as `BAD_REQUEST`. */
export type Answer = { status: number; data: unknown; refusal: { code: string; message: string; body: string } | null }
export type Post = Partial<PostLocationInput> & { room: string }
export type LockInput = Omit<LockLocationInput, 'location'> & { location?: unknown }
/** The input of a broadcast. Without a `payload`, the target gives one for the number `n`, which is 0 by default. */
export type BroadcastInput = {
  room: string
  connectionKey?: string
  n?: number
  name?: string
  payload?: unknown
  to?: string
  nonce?: string
  lastEventId?: string | null
}
export type Heard = { id: string; event: LocationEvent }

/** A client of the server under test. It speaks plain HTTP as PROTOCOL specifies it, or the messages of a WebSocket. */
export class Wire {
  readonly target: ContractTarget
  readonly timing: ContractTiming
  readonly #transformer: DataTransformer
  /** Two sockets, used in turn; none when the target is asked over HTTP. */
  readonly #sockets: readonly SocketWire[]
  #requests = 0

  constructor(target: ContractTarget) {
    this.target = target
    this.#transformer = target.transformer ?? plain
    this.timing = { ...defaultTiming, ...target.timing }
    const open = () => target.webSocket!()
    this.#sockets = target.webSocket ? [1, 2].map(() => new SocketWire(open, this.timing.patienceMs)) : []
  }

  /** Closes the sockets. */
  close(): void {
    for (const socket of this.#sockets) socket.close()
  }

  /** Returns the id of a room that no other case uses. */
  newRoom(): string {
    return `contract-${newKey()}`
  }

  location(n: number): unknown {
    return this.target.location(n)
  }

  /** Posts with the longest lease by default, so that a slow machine does not let a lease expire by accident. */
  async post(post: Post): Promise<PostLocationOutput> {
    const input = { location: this.location(0), leaseMs: this.timing.leaseMaxMs, ...post }
    return this.#data('postLocation', await this.mutate('postLocation', input))
  }

  async leave(input: {
    room: string
    connectionKey: string
    seq?: number
    graceMs?: number
  }): Promise<LeaveRoomOutput> {
    return this.#data('leaveRoom', await this.mutate('leaveRoom', input))
  }

  async broadcast(input: BroadcastInput): Promise<BroadcastToRoomOutput> {
    return this.#data('broadcastToRoom', await this.mutate('broadcastToRoom', this.broadcastOf(input)))
  }

  /** Returns the input of a broadcast: a valid payload of the target by default. */
  broadcastOf({ n = 0, ...input }: BroadcastInput): object {
    const { name, payload } = this.target.broadcasts!
    return { name, payload: payload(n), ...input }
  }

  /**
   * Locks a place. While the server collects claims, as after a start, the call is repeated with the next `lockSeq`.
   */
  async lock(input: LockInput): Promise<LockLocationOutput> {
    for (let { lockSeq } = input; ; lockSeq++) {
      const answer = await this.mutate('lockLocation', { location: this.location(0), ...input, lockSeq })
      const reply = this.#data<LockLocationOutput>('lockLocation', answer)
      if (reply.outcome !== 'taken' || reply.holder !== null) return reply
      await passing(reply.retryAfterMs ?? 0)
    }
  }

  async unlock(input: LockInput & { fence: number }): Promise<UnlockLocationOutput> {
    const answer = await this.mutate('unlockLocation', { location: this.location(0), ...input })
    return this.#data('unlockLocation', answer)
  }

  async get(input: { room: string; lastEventId?: string | null }): Promise<GetLocationsOutput> {
    return this.#data('getLocations', await this.query('getLocations', input))
  }

  async count(rooms: string[]): Promise<CountMembersOutput> {
    return this.#data('countMembers', await this.query('countMembers', { rooms }))
  }

  /** Returns an input as the text to send: serialized by the target's transformer, as JSON. */
  written(input: unknown, indent = 0): string {
    return JSON.stringify(this.#transformer.serialize(input), null, indent)
  }

  /** @param body the input, or a string that is sent unchanged in place of an input. */
  mutate(procedure: string, body: unknown): Promise<Answer> {
    const text = typeof body === 'string' ? body : this.written(body)
    const socket = this.#nextSocket()
    if (socket) return this.#callOver(socket, 'mutation', procedure, text)
    const init = { method: 'POST', body: text }
    return this.#call(procedure, this.#url(procedure), init)
  }

  query(procedure: string, input: unknown): Promise<Answer> {
    const socket = this.#nextSocket()
    if (socket) return this.#callOver(socket, 'query', procedure, this.written(input))
    return this.#call(procedure, this.#url(procedure, input), {})
  }

  /** Opens `onLocation`. A refusal arrives as a message of the stream. */
  async open(input: unknown, headers: Record<string, string> = {}): Promise<OpenStream> {
    const socket = this.#nextSocket()
    if (socket) return this.#openOver(socket, input, headers['last-event-id'])
    const closing = new AbortController()
    const opening = fetch(this.#url('onLocation', input), {
      headers: { ...this.target.headers, accept: 'text/event-stream', ...headers },
      signal: closing.signal,
    })
    const response = await inTime(opening, this.timing.patienceMs, 'onLocation answers within patienceMs.')
    const type = response.headers.get('content-type') ?? ''
    demand(response.status === 200, 'onLocation answers 200, even when it refuses the input.', response.status)
    demand(type.startsWith('text/event-stream'), 'onLocation answers text/event-stream.', type)
    const read = (data: string) => this.#transformer.deserialize(parsed(data)) as LocationEvent
    return new OpenStream(messagesOf(response.body!), read, this.timing.patienceMs, () => closing.abort())
  }

  async #call(procedure: string, url: string, init: RequestInit): Promise<Answer> {
    const headers = { ...this.target.headers, 'content-type': 'application/json' }
    const response = await inTime(
      fetch(url, { ...init, headers }),
      this.timing.patienceMs,
      `${procedure} answers within patienceMs.`,
    )
    const body = await response.text()
    const { status } = response
    const answer = parsed(body) as { result?: { data: unknown }; error?: unknown }
    if (answer?.error) return { status, data: undefined, refusal: this.#refusal(answer.error, body) }
    demand(answer?.result, `${procedure} answers { result } or { error } as JSON.`, { status, body })
    return { status, data: this.#read(answer.result.data), refusal: null }
  }

  #nextSocket(): SocketWire | undefined {
    return this.#sockets[(this.#requests += 1) % 2]
  }

  async #callOver(socket: SocketWire, method: 'query' | 'mutation', procedure: string, text: string): Promise<Answer> {
    const { result, error } = await socket.call(method, this.#path(procedure), text)
    if (!error) return { status: 200, data: this.#read(result?.data), refusal: null }
    const { code, ...refusal } = this.#refusal(error, JSON.stringify(error))
    // Over a WebSocket, a message that is not JSON has the code PARSE_ERROR, because no single call can be refused.
    // Over HTTP it has BAD_REQUEST, which the cases expect.
    const isUnread = code === 'PARSE_ERROR' && parsed(text) === undefined
    return { status: refusal.status, data: undefined, refusal: { ...refusal, code: isUnread ? 'BAD_REQUEST' : code } }
  }

  async #openOver(socket: SocketWire, input: unknown, lastEventId: string | undefined): Promise<OpenStream> {
    const { messages, close } = await socket.stream(this.#path('onLocation'), this.written(input), lastEventId)
    const read = (data: string) => this.#read<{ data: LocationEvent }>(parsed(data)).data
    return new OpenStream(messages, read, this.timing.patienceMs, close)
  }

  #refusal(error: unknown, body: string) {
    type Shape = { message?: string; data?: { code: string; httpStatus?: number } }
    const { message = '', data } = this.#read<Shape>(error)
    return { code: data?.code ?? '', message, body, status: data?.httpStatus ?? 0 }
  }

  #path(procedure: string): string {
    const { path } = this.target
    return `${path ? `${path}.` : ''}${procedure}`
  }

  #url(procedure: string, input?: unknown): string {
    const query = input === undefined ? '' : `?input=${encodeURIComponent(this.written(input))}`
    return `${this.target.url}/${this.#path(procedure)}${query}`
  }

  #read<T>(sent: unknown): T {
    return this.#transformer.deserialize(sent) as T
  }

  #data<T>(procedure: string, { data, refusal }: Answer): T {
    demand(!refusal, `${procedure} accepts every input that PROTOCOL allows.`, refusal?.body)
    return data as T
  }
}

/** An open `onLocation`. */
export class OpenStream implements AsyncDisposable {
  readonly close: () => void
  readonly #messages: AsyncGenerator<Message, void>
  readonly #read: (data: string) => LocationEvent
  readonly #patienceMs: number
  #pending: Promise<IteratorResult<Message, void>> | null = null

  constructor(
    messages: AsyncGenerator<Message, void>,
    read: (data: string) => LocationEvent,
    patienceMs: number,
    close: () => void,
  ) {
    this.#messages = messages
    this.#read = read
    this.#patienceMs = patienceMs
    this.close = close
  }

  /** The next message other than tRPC's `connected` and `ping`; `null` when the body has ended. */
  async message(
    withinMs = this.#patienceMs,
    rule = 'a stream sends its next message in time.',
  ): Promise<Message | null> {
    for (;;) {
      this.#pending ??= this.#messages.next()
      const { value } = await inTime(this.#pending, withinMs, rule)
      this.#pending = null
      if (!value) return null
      if (value.event !== 'connected' && value.event !== 'ping') return value
    }
  }

  /** Returns the next event of the protocol. */
  async next(withinMs?: number, rule?: string): Promise<Heard> {
    const message = await this.message(withinMs, rule)
    demand(message?.event === 'message', 'a stream sends events until the server sends bye.', message ?? 'the end')
    return { id: message.id, event: this.#read(message.data) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}

const plain: DataTransformer = { serialize: (value) => value as unknown, deserialize: (value) => value as unknown }

/** Returns a new key: 128 random bits, as clients make them. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .slice(0, 22)
}

/** Parses an id of the form `epoch.version`. */
export function idOf(id: string): { epoch: string; version: number } {
  const [, epoch = '', version] = /^([\w-]+)\.(\d+)$/.exec(id) ?? []
  demand(epoch !== '', 'an id is epoch.version.', id)
  return { epoch, version: Number(version) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
