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
 * A browser opens at most six connections to an origin over HTTP/1.1, in all tabs together: six streams would block every
 * other request. So the tabs that show the same room to the same member share one stream. The tab that holds the lock is
 * the leader and forwards the events. When it closes or crashes, the browser gives the lock to the next tab in the queue.
 */

/** Tabs forward events as the server sends them. The type makes a new revision of the wire protocol show up here. */
const protocol: Hello['protocol'] = 1
/** The revision of the messages between tabs: a tab from before a deploy must not lead a tab that speaks another one. */
const revision = 5

export type TabStreamOptions<T extends RoomTypes> = TabContext<T> & {
  /** The URL of the server, which may be relative to the page. */
  url: string
  /** The parts of a stream's identity besides the room and the member, such as the path and the transformer. */
  scope: unknown[]
  openStream: OpenSubscription<T>
  clock: Clock
  /** Passed in, so that this lazily loaded file imports nothing of the first load. */
  cut: FirstLoad['cut']
}

/** The messages between tabs. They never contain a key. */
type Message<T extends RoomTypes> =
  | { type: 'ask'; by: string; lastEventId: string | null; doubted: boolean }
  /** The leader's answer: the tab that asked need not take over. */
  | { type: 'here'; to: string }
  | { type: 'event'; to: string | null; id: string; event: LocationEvent<T> }
  /** The leader's stream failed before its hello. An error loses its class and its code in a message. */
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
  /** A stream to the server, if this page may have one more. */
  const open = async (asked: OnLocationInput, heard: StreamListener<T>) => {
    // A page that cannot count its streams opens them all the same.
    const slot = await takeSlot(url, signal).catch(() => true)
    if (signal.aborted) return
    if (slot) openNow(asked, heard)
    else heard.ended(cut('all stream slots of this browser are taken', true))
  }
  const alone = () => openNow({ ...input, connectionKey }, listener)
  let stopWaiting = () => {}
  const begin = async () => {
    // Reading does not depend on writing: while our first post hangs, the room is read on a stream of our own.
    const memberId = await whoAmI(new Promise((resolve) => (stopWaiting = clock.after(rest.beatMs / 5, resolve))))
    stopWaiting()
    if (signal.aborted) return
    if (memberId === null) return open({ ...input, connectionKey }, listener)
    const name = `hereabouts ${protocol}.${revision} ${JSON.stringify([url, ...scope, input.room, memberId])}`
    sharedStream({ name, open, alone, clock, cut, signal, ...rest }, input, listener)
  }
  // A browser may have locks and channels and refuse them, for example in a sandboxed frame.
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
  /** The time since which this tab leads. */
  let leadsSince: number | null = null
  let isAlone = false
  // A channel has no target origin: it never leaves this one.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const send = (message: Message<T>) => channel.postMessage(message)
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
      // A bye is for the leader only: the next tab takes over.
      if (event.type !== 'bye') send({ type: 'event', to: null, id, event })
      take(id, event)
    }
    const ended = (failure: Failure) => {
      const { error, retry, obstructed, answered } = failure
      const { code, message, retryAfterMs } = error
      // A refusal may be about this tab alone, whose token is old: the next tab asks for itself.
      if (retry && !hello)
        send({ type: 'failed', to: null, error: { code, message, retryAfterMs }, obstructed, answered })
      listener.ended(failure)
    }
    void open({ ...input, lastEventId: lastEventId ?? undefined }, { ...listener, event: passOn, ended })
  }
  /** Leads while the lock is held: until this tab closes, or another tab that finds it frozen steals the lock. */
  const queue = async (how: LockOptions) => {
    try {
      await navigator.locks.request(name, how, () => {
        lead()
        return aborted(signal)
      })
    } catch {
      if (signal.aborted) return
      if (leadsSince !== null) listener.ended(cut('another tab leads'))
      else standAlone()
    }
  }
  /** This page gets no lock: it has a stream of its own and speaks with no other tab. */
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
    // Like a server's hello, it names the position to resume from; a snapshot follows when the tab missed something.
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
      // The tab that asks is next in the queue. A stream that was opened just now is what comes of such a doubt.
      if (data.doubted && clock.now() - leadsSince > beatMs / 2) return listener.ended(cut('another tab got no answer'))
      return answer(data.by, data.lastEventId)
    }
    if (data.type === 'ask' || (data.to !== null && data.to !== me)) return
    stopAsking()
    // A tab that had its hello takes over at once; one that waits for it would fail like the leader, only later.
    if (data.type === 'failed') return hello ? undefined : failWith(data)
    if (data.type === 'here') return listener.opened()
    // A tab without the earlier events cannot apply this one: it asks the leader when that says hello.
    if (hello || data.to === me) take(data.id, data.event)
    else if (data.event.type === 'hello') ask()
  }
  channel.addEventListener('message', heard)
  // A leader that does not answer is frozen or hung; a lock that cannot even be stolen will never be granted.
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
