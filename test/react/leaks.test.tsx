// @vitest-environment jsdom
import { createLocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { serveLocations } from 'hereabouts/testing'
import { act, StrictMode, useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { expect, test } from 'vitest'
import { activeResources, alive, cycles, progress, settled } from '../support/garbage.js'
import { cell, type Cells } from '../support/clients/stock-client.js'
import { until } from '../support/until.js'

const { RoomProvider, useRoomEvent, useOther, useOthers, usePost, useRoom, useSelf, useStatus, useMembersAt } =
  createLocationHooks(createLocationClient<Cells>({ url: 'http://127.0.0.1:9' }))
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

/** Counts the listeners on the page, which must not accumulate. */
function listenersOf(...targets: EventTarget[]) {
  const listening = new Set<object>()
  for (const target of targets) {
    const { addEventListener, removeEventListener } = target
    const known = new WeakMap<object, object>()
    target.addEventListener = (type: string, run: never, options?: AddEventListenerOptions | boolean) => {
      const signal = typeof options === 'object' ? options.signal : undefined
      const entry = { type }
      listening.add(entry)
      known.set(run, entry)
      signal?.addEventListener('abort', () => listening.delete(entry), { once: true })
      addEventListener.call(target, type, run, options)
    }
    target.removeEventListener = (type: string, run: never, options?: EventListenerOptions | boolean) => {
      listening.delete(known.get(run)!)
      removeEventListener.call(target, type, run, options)
    }
  }
  return listening
}

test(
  `a component with all hooks that is mounted and unmounted ${cycles} times leaves no listener, timer, stream or room`,
  { timeout: 600_000 },
  async () => {
    const before = activeResources()
    await using server = await serveLocations({
      timing: { scale: 1 / 20 },
      limits: { postsPerSecond: 1e6, postBurst: 1e6 },
    })
    const client = createLocationClient<Cells>({ url: server.url })
    const refs: WeakRef<object>[] = []
    let live = 0

    function Person() {
      const room = useRoom()
      const post = usePost()
      const others = useOthers()
      const bo = useOther('bo')
      const self = useSelf()
      const there = useMembersAt(cell(1))
      const { state } = useStatus()
      // An object of this component, which every listener that the component adds to the room references.
      const own = { others, bo, self, there }
      useRoomEvent('moved', () => void own.bo)
      useEffect(() => {
        refs.push(new WeakRef(own), new WeakRef(room))
        post(cell(2))
        return room.on('status', () => void own.self)
      })
      useEffect(() => {
        if (state === 'live') live += 1
      }, [state])
      return <p>{others.length}</p>
    }

    const mounted = async (nth: number, strict: boolean) => {
      const page = document.createElement('main')
      document.body.append(page)
      const root = createRoot(page)
      const was = live
      const people = (
        <RoomProvider client={client} room={`room-${nth % 10}`} profile={{ name: 'Ada' }} location={cell(1)}>
          <Person />
          <Person />
        </RoomProvider>
      )
      await act(async () => root.render(strict ? <StrictMode>{people}</StrictMode> : people))
      // Two of three components are unmounted before the room is live.
      if (nth % 3 === 0) await act(() => until('it is live', () => live > was))
      await act(async () => root.unmount())
      page.remove()
      refs.push(new WeakRef(page))
    }
    await mounted(0, true)
    // Counted now, after React and lazily loaded modules have registered their listeners.
    const listening = listenersOf(window, document)
    const listened = listening.size
    for (let nth = 1; nth <= cycles; nth++) {
      await mounted(nth, nth % 2 === 0)
      progress(nth)
    }
    await until('nobody listens to the page', () => listening.size === listened, 5_000)
    await client.close()
    for (let nth = 0; nth < 10; nth++) expect(await server.hub.room(`room-${nth}`).count()).toBe(0)
    // The server closes idle keep-alive connections.
    await server.close()
    await settled(before)
    // React keeps a reference to the last tree that it rendered.
    expect(await alive(refs)).toBeLessThanOrEqual(20)
    expect(refs.length).toBeGreaterThan(4 * cycles)
  },
)
