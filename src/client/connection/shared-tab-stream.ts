import type { Clock } from '../../shared/clock.js'
import type { OnLocationInput } from '../../shared/call-types.js'
import type { Hello, LocationEvent } from '../../shared/events.js'
import type { LocationError } from '../../shared/errors.js'
import type { FirstLoad } from '../first-load.js'
import type { Failure } from './failure.js'
import type { OpenSubscription, StreamListener, TabContext } from './stream-types.js'
import { aborted, takeSlot } from './connection-slots.js'
import type { RoomTypes } from '../../shared/room-types.js'

/*
 * A browser opens at most six connections to an origin over HTTP/1.1, in all tabs together: six streams would block
 * every other request. So the tabs that show the same room to the same member share one stream. The tab that holds a
 * Web Lock is the leader and forwards the events. When the leader closes or crashes, the browser gives the lock to the
 * next tab in the queue.
 */

/**
 * The revision of the wire protocol, in which tabs forward the server's events. Its type makes this line fail to
 * compile after a new revision.
 */
const protocol: Hello['protocol'] = 1
/** The revision of the messages between tabs: a tab from before a deploy must not lead a tab with another revision. */
const revision = 5

export type TabStreamOptions<T extends RoomTypes> = TabContext<T> & {
  /** The URL of the server, which may be relative to the page. */
  url: string
  /** The parts of a stream's identity besides the room and the member, such as the path and the transformer. */
  scope: unknown[]
  openStream: OpenSubscription<T>
  clock: Clock
  /**
   * The function `cut` of failure.ts. It is passed in, so that this lazily loaded file imports nothing of the first
   * load.
   */
  cut: FirstLoad['cut']
}

/** The messages between tabs. They never contain a key. */
type Message<T extends RoomTypes> =
  | { type: 'ask'; by: string; lastEventId: string | null; doubted: boolean }
  /** The leader's answer: the tab that asked need not take over. */
  | { type: 'here'; to: string }
  | { type: 'event'; to: string | null; id: string; event: LocationEvent<T> }
  /**
   * The leader's stream failed before its hello. The fields of the error are copied: in a message, an error loses class
   * and code.
   */
  | {
      type: 'failed'
      to: null
      error: Pick<LocationError, 'code' | 'message' | 'retryAfterMs'>
      obstructed: boolean | undefined
      answered: boolean | undefined
    }

export function openTabStream<T extends RoomTypes>(
  { url: serverUrl, scope, openStream, clock, connectionKey, whoAmI, cut, ...rest }: TabStreamOptions<T>,
  input: OnLocationInput,
  listener: StreamListener<T>,
): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const url = new URL(serverUrl, document.baseURI).href

  const openNow = (asked: OnLocationInput, heard: StreamListener<T>) => {
    if (signal.aborted) return
    const close = openStream(asked, heard)
    signal.addEventListener('abort', close, { once: true })
  }
  /** Opens a stream to the server if a slot is free; otherwise reports that all slots are taken. */
  const open = async (asked: OnLocationInput, heard: StreamListener<T>) => {
    // A page that cannot count the streams of the browser opens its stream without a slot.
    const slot = await takeSlot(url, signal).catch(() => true)
    if (signal.aborted) return
    if (slot) openNow(asked, heard)
    else heard.ended(cut('all stream slots of this browser are taken', true))
  }
  const alone = () => openNow({ ...input, connectionKey }, listener)
  let stopWaiting = () => {}
  const begin = async () => {
    // Waits for our member id, but not long: while our first post hangs, the room is read on a stream of this tab's
    // own.
    const memberId = await whoAmI(new Promise((resolve) => (stopWaiting = clock.after(rest.beatMs / 5, resolve))))
    stopWaiting()
    if (signal.aborted) return
    if (memberId === null) return open({ ...input, connectionKey }, listener)
    const name = `hereabouts ${protocol}.${revision} ${JSON.stringify([url, ...scope, input.room, memberId])}`
    sharedStream({ name, open, alone, clock, cut, signal, ...rest }, input, listener)
  }
  // A browser may refuse locks and channels, for example in a sandboxed frame: then this tab has a stream of its own.
  begin().catch(alone)
  return () => {
    stopWaiting()
    controller.abort()
  }
}

type SharedOptions<T extends RoomTypes> = {
  name: string
  open(input: OnLocationInput, listener: StreamListener<T>): Promise<void>
  /** Opens a stream of this tab's own. */
  alone(): void
  clock: Clock
  beatMs: number
  view: TabContext<T>['view']
  cut: FirstLoad['cut']
  doubted: boolean
  signal: AbortSignal
}

function sharedStream<T extends RoomTypes>(
  options: SharedOptions<T>,
  input: OnLocationInput,
  listener: StreamListener<T>,
): void {
  const { name, open, alone, clock, beatMs, view, doubted, cut, signal } = options
  const channel = new BroadcastChannel(name)
  const me = String(Math.random())
  let lastEventId = input.lastEventId ?? null
  let hello: { id: string; event: LocationEvent<T> } | null = null
  /** The time since which this tab leads; `null` while it does not. */
  let leadsSince: number | null = null
  let isAlone = false
  const send = (message: Message<T>) => {
    try {
      // A channel has no target origin: it never leaves this one.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      channel.postMessage(message)
    } catch {
      standAlone()
    }
  }
  const ask = () => send({ type: 'ask', by: me, lastEventId, doubted })

  const take = (id: string, event: LocationEvent<T>) => {
    if (event.type === 'hello') hello = { id, event }
    listener.heard()
    listener.event(id, event)
    if (event.type === 'snapshot' || event.type === 'changes') lastEventId = view.id
  }
  const lead = () => {
    if (signal.aborted || isAlone) return
    leadsSince = clock.now()
    stopAsking()
    const passOn = (id: string, event: LocationEvent<T>) => {
      // A bye ends the stream of the leader only: the next tab takes over.
      if (event.type !== 'bye') send({ type: 'event', to: null, id, event })
      take(id, event)
    }
    const ended = (failure: Failure) => {
      const { error, retry, obstructed, answered } = failure
      const { code, message, retryAfterMs } = error
      // A refusal is not passed on: it may concern only this tab, whose token is old. The next tab asks the server
      // itself.
      if (retry && !hello)
        send({ type: 'failed', to: null, error: { code, message, retryAfterMs }, obstructed, answered })
      listener.ended(failure)
    }
    void open({ ...input, lastEventId: lastEventId ?? undefined }, { ...listener, event: passOn, ended })
  }
  /**
   * Waits for the lock, then leads until this tab closes, or until another tab finds this one frozen and steals the
   * lock.
   */
  const queue = async (how: LockOptions) => {
    try {
      await navigator.locks.request(name, how, () => {
        lead()
        return aborted(signal)
      })
    } catch {
      if (signal.aborted) return
      if (leadsSince !== null) listener.ended(cut('another tab took over'))
      else standAlone()
    }
  }
  /** Opens a stream of this tab's own and leaves the channel, because this tab gets no lock. */
  const standAlone = () => {
    if (isAlone || leadsSince !== null) return
    isAlone = true
    stopAsking()
    channel.close()
    alone()
  }

  const answer = (to: string, known: string | null) => {
    send({ type: 'here', to })
    if (!hello) return
    // Like a server's hello, ours names the position to resume from. A snapshot follows when the tab missed something.
    send({ type: 'event', to, ...hello, id: view.id ?? hello.id })
    if (view.id === null || view.id === known) return
    const snapshot: LocationEvent<T> = { type: 'snapshot', connections: [...view.connections.values()] }
    send({ type: 'event', to, id: view.id, event: snapshot })
  }
  const failWith = ({ error, obstructed, answered }: Extract<Message<T>, { type: 'failed' }>) => {
    const failure = cut('', obstructed)
    Object.assign(failure.error, error)
    listener.ended({ ...failure, answered })
  }
  const heard = ({ data }: MessageEvent<Message<T>>) => {
    if (leadsSince !== null) {
      if (data.type !== 'ask') return
      // The requests of the asking tab get no answer (`doubted`), so our stream may be dead: we end it, and the next
      // tab in the queue leads. A stream younger than half a heartbeat interval stays: it was probably opened because
      // of a doubt.
      if (data.doubted && clock.now() - leadsSince > beatMs / 2) return listener.ended(cut('another tab got no answer'))
      return answer(data.by, data.lastEventId)
    }
    if (data.type === 'ask' || (data.to !== null && data.to !== me)) return
    stopAsking()
    // A tab that has had a hello will lead next, and ignores this. A tab without one would fail like the leader, but
    // later.
    if (data.type === 'failed') return hello ? undefined : failWith(data)
    if (data.type === 'here') return listener.opened()
    // A tab without the earlier events cannot apply this event. It asks the leader for them when the leader gets a
    // hello.
    if (hello || data.to === me) take(data.id, data.event)
    else if (data.event.type === 'hello') ask()
  }
  channel.addEventListener('message', heard)
  // A leader that does not answer is frozen: we steal its lock. If that is not granted either, we give up on sharing.
  let stopAsking = clock.after(beatMs / 10, () => {
    stopAsking = clock.after(beatMs / 10, standAlone)
    void queue({ steal: true })
  })
  signal.addEventListener('abort', () => {
    stopAsking()
    channel.close()
  })
  void queue({ signal })
  ask()
}
