import type { Clock } from '../../shared/clock.js'
import type { OnLocationInput } from '../../shared/call-types.js'
import type { LocationEvent } from '../../shared/events.js'
import type { View } from '../../shared/view.js'
import type { cut as cutOf } from './failure.js'
import type { OpenSubscription, StreamListener } from './subscription.js'
import { aborted, takeSlot } from './connection-slots.js'

/*
 * A browser lets one origin have six connections over HTTP/1.1, in all its tabs together: six streams, and the app
 * stands still. So the tabs in which the same member looks at the same room have one stream: the tab that holds the lock
 * leads and passes on what comes, and when it goes, closed or crashed, the next in line is given the lock by the browser.
 */

/** What the tab itself is. Its key is sent only on a stream of its own, never to another tab. */
export type Tab<L, P> = {
  connectionKey: string | undefined
  /** As the server says; `null` when it does not: then nothing is shared. */
  whoAmI(): Promise<string | null>
  beatMs: number
  /** What the room has seen: a leader shows it to who asks. */
  view: View<L, P>
}
export type ShareStream<L, P> = (input: OnLocationInput, listener: StreamListener<L, P>, tab: Tab<L, P>) => () => void

type TabStreamOptions<L, P> = Tab<L, P> & {
  url: string
  openStream: OpenSubscription<L, P>
  clock: Clock
  /** Handed over: what is loaded later is to import nothing of what was loaded first. */
  cut: typeof cutOf
}

/** What passes between tabs; nobody's key ever does. */
type Message<L, P> =
  | { type: 'ask'; by: string; lastEventId: string | null }
  /** "I lead": whoever asked need not take my place. */
  | { type: 'here'; to: string }
  | { type: 'event'; to: string | null; id: string; event: LocationEvent<L, P> }

export function openTabStream<L, P>(
  { url, openStream, clock, connectionKey, whoAmI, cut, ...rest }: TabStreamOptions<L, P>,
  input: OnLocationInput,
  listener: StreamListener<L, P>,
): () => void {
  const controller = new AbortController()
  const { signal } = controller

  /** A stream to the server, if this page may have one more. */
  const open = async (asked: OnLocationInput, heard: StreamListener<L, P>) => {
    const slot = await takeSlot(url, signal)
    if (signal.aborted) return
    if (!slot) return heard.ended(cut('all connections of this browser are taken', true))
    const close = openStream(asked, heard)
    signal.addEventListener('abort', close, { once: true })
  }
  const begin = async () => {
    const memberId = await whoAmI()
    if (signal.aborted) return
    if (memberId === null) return open({ ...input, connectionKey }, listener)
    const name = `hereabouts ${url} ${JSON.stringify([input.room, memberId])}`
    sharedStream({ name, open, clock, cut, signal, ...rest }, input, listener)
  }
  begin().catch(() => signal.aborted || listener.ended(cut('not shared')))
  return () => controller.abort()
}

type SharedOptions<L, P> = {
  name: string
  open(input: OnLocationInput, listener: StreamListener<L, P>): Promise<void>
  clock: Clock
  beatMs: number
  view: View<L, P>
  cut: typeof cutOf
  signal: AbortSignal
}

function sharedStream<L, P>(
  options: SharedOptions<L, P>,
  input: OnLocationInput,
  listener: StreamListener<L, P>,
): void {
  const { name, open, clock, beatMs, view, cut, signal } = options
  const channel = new BroadcastChannel(name)
  const me = crypto.randomUUID()
  let lastEventId = input.lastEventId ?? null
  let hello: { id: string; event: LocationEvent<L, P> } | null = null
  let leads = false
  // A channel has no target origin: it ends at this one.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const say = (message: Message<L, P>) => channel.postMessage(message)
  const ask = () => say({ type: 'ask', by: me, lastEventId })

  const take = (id: string, event: LocationEvent<L, P>) => {
    if (event.type === 'hello') hello = { id, event }
    listener.heard()
    listener.event(id, event)
    if (event.type === 'snapshot' || event.type === 'changes') lastEventId = view.id
  }
  const lead = () => {
    if (signal.aborted) return
    leads = true
    stopAsking()
    const passOn = (id: string, event: LocationEvent<L, P>) => {
      // A goodbye is for the tab that leads: it goes, and the next takes its place.
      if (event.type !== 'bye') say({ type: 'event', to: null, id, event })
      take(id, event)
    }
    void open({ ...input, lastEventId: lastEventId ?? undefined }, { ...listener, event: passOn })
  }
  /** Leads for as long as the lock is held: until this tab is done, or one that finds it frozen takes the lock away. */
  const queue = (how: LockOptions) =>
    navigator.locks
      .request(name, how, () => {
        lead()
        return aborted(signal)
      })
      .catch(() => signal.aborted || listener.ended(cut('another tab leads')))

  const answer = (to: string, known: string | null) => {
    say({ type: 'here', to })
    if (!hello) return
    // As a server's hello does, it says where to go on from: there where nothing was missed, elsewhere from a snapshot.
    say({ type: 'event', to, ...hello, id: view.id ?? hello.id })
    if (view.id === null || view.id === known) return
    const snapshot: LocationEvent<L, P> = { type: 'snapshot', connections: [...view.connections.values()] }
    say({ type: 'event', to, id: view.id, event: snapshot })
  }
  const heard = ({ data }: MessageEvent<Message<L, P>>) => {
    if (data.type === 'ask') return leads && answer(data.by, data.lastEventId)
    if (leads || (data.to !== null && data.to !== me)) return
    stopAsking()
    if (data.type === 'here') return listener.opened()
    // Who has not been told what came before cannot follow what comes now: a leader that says hello is asked.
    if (hello || data.to === me) take(data.id, data.event)
    else if (data.event.type === 'hello') ask()
  }
  channel.addEventListener('message', heard)
  // Whoever holds the lock and does not answer is frozen, or worse.
  const stopAsking = clock.after(beatMs / 10, () => void queue({ steal: true }))
  signal.addEventListener('abort', () => {
    stopAsking()
    channel.close()
  })
  void queue({ signal })
  ask()
}
