// @vitest-environment jsdom
import type { LocationClient } from 'hereabouts/client'
import { createLocationStores, useLock, type RoomStore } from 'hereabouts/svelte'
import { flushSync, mount, tick, unmount } from 'svelte'
import { fromStore, writable } from 'svelte/store'
import { describeBinding } from './behaviours.js'
import {
  renderCounter,
  textsOf,
  type Binding,
  type Component,
  type PageState,
  type Types,
  type Uses,
} from './binding.js'
import Page from './svelte/Page.svelte'
import Shown from './svelte/Shown.svelte'

type Read = <V>(store: RoomStore<V>) => () => V

/** Reads a store as runes do, by `current`. */
const byCurrent: Read = (store) => () => store.current
/** Reads a store as `$others` does, by a subscription. */
const bySubscription: Read = (store) => {
  const value = fromStore(store)
  return () => value.current
}

const usesOf = (client: LocationClient<Types>, read: Read) => {
  const stores = createLocationStores(client)
  const use: Uses = {
    room: () => read(stores.useRoom()),
    status: () => read(stores.useStatus()),
    others: (...how: unknown[]) => read(stores.useOthers(...(how as [() => never]))),
    otherIds: () => read(stores.useOtherIds()),
    members: () => read(stores.useMembers()),
    self: (select) => read(stores.useSelf(select)),
    other: (memberId, select) => read(stores.useOther(memberId, select)),
    membersAt: (location) => read(stores.useMembersAt(location)),
    lock: (location) => read(useLock(stores.useRoom(), location)),
    onEvent: stores.useRoomEvent,
    onWave: (listener) => stores.useOnBroadcast('wave', ({ payload }) => listener(payload.emoji)),
  }
  return { ...stores, use }
}

const binding = (read: Read): Binding => ({
  mountsAtOnce: true,
  async mount(client, options, components) {
    const { provideRoom, use } = usesOf(client, read)
    const { rendered, renders } = renderCounter()
    const target = document.createElement('main')
    const initial: PageState = { options, row: 1, shown: true }
    const page = mount(Page, { target, props: { provideRoom, use, initial, components, rendered } }) as {
      set(change: Partial<PageState>): void
    }
    flushSync()
    let isMounted = true
    return {
      texts: () => textsOf(target),
      renders,
      async set(change) {
        page.set(change)
        await tick()
      },
      async act(run) {
        const result = await run()
        await tick()
        return result
      },
      async unmount() {
        if (isMounted) await unmount(page)
        isMounted = false
      },
    }
  },
  createRow(initial) {
    const row = writable(initial)
    const value = fromStore(row)
    return {
      row: () => value.current,
      setAndRun(next, run) {
        row.set(next)
        return run()
      },
    }
  },
  mountWithout(client, component: Component) {
    const { use } = usesOf(client, read)
    mount(Shown, { target: document.createElement('main'), props: { component, use, row: 1, rendered() {} } })
  },
})

describeBinding('Svelte, by runes', binding(byCurrent))
describeBinding('Svelte, by the store contract', binding(bySubscription))
