import { setImmediate as turn } from 'node:timers/promises'
import type { CellLocation } from 'hereabouts'
import type { LocationClient, Room } from 'hereabouts/client'
import { fakeRoom, type FakeRoom } from 'hereabouts/testing'
import type { RoomOptions } from 'hereabouts/vue'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../support/until.js'
import type { Binding, Component, Page, Types } from './binding.js'
import { recording } from './recording.js'

const cell = (row: number): CellLocation => ({ sheet: 'Q3', row, col: 1 })
const ids: Component = (use) => {
  const others = use.others()
  return () =>
    others()
      .map(({ memberId }) => memberId)
      .join()
}
const statusText: Component = (use) => {
  const status = use.status()
  return () => status().state
}

/** Describes the behaviour that the bindings of all frameworks have in common. */
export function describeBinding(name: string, binding: Binding): void {
  describe(`the binding for ${name}`, () => {
    let fake: FakeRoom<Types>
    let client: LocationClient<Types>
    let calls: string[]
    let pages: Page[]
    beforeEach(async () => {
      fake = await fakeRoom<Types>({ room: 'r', others: { ada: { location: cell(1), profile: { name: 'Ada' } } } })
      calls = []
      pages = []
      client = recording(fake.client, calls)
    })
    afterEach(async () => {
      for (const page of pages) await page.unmount()
      await fake.close()
    })
    const mount = async (options: Partial<RoomOptions<Types>>, ...components: Component[]) => {
      const page = await binding.mount(client, { room: 'r', ...options }, components)
      pages.push(page)
      await page.act(() => until('the page is live', () => fake.room.status.state === 'live'))
      return page
    }
    const left = (count: number) =>
      until('rooms are left', () => calls.filter((call) => call.startsWith('leave')).length === count)

    test('a provider joins its room when it is mounted and leaves it when it is unmounted', async () => {
      const page = await mount({ profile: { name: 'Grace' }, location: cell(7) }, ids)
      expect(calls).toEqual(['join r'])
      await page.act(() => until('the post arrives', () => fake.posts.some(({ profile }) => profile?.name === 'Grace')))
      expect(fake.posts.at(-1)).toMatchObject({ profile: { name: 'Grace' }, location: cell(7) })
      await page.unmount()
      await left(1)
      expect(calls).toEqual(['join r', 'leave r'])
    })

    // React's StrictMode replaces every provider like this: test/react/hooks.test.tsx.
    const testReplaced = binding.mountsAtOnce ? test : () => {}
    testReplaced('a provider that is replaced by another one for its room keeps the room open', async () => {
      const page = await mount({}, ids)
      const gone = page.unmount()
      await mount({}, ids)
      await gone
      await left(1)
      expect(calls).toEqual(['join r', 'join r', 'leave r'])
    })

    test('two providers of one room share it, and the room stays open until both are unmounted', async () => {
      const one = await mount({}, ids)
      const two = await mount({}, ids)
      await one.unmount()
      await left(1)
      await two.act(() => fake.enters('bob'))
      await two.act(() => until('bob is shown', () => two.texts()[0] === 'ada,bob'))
    })

    test('a provider joins another room when its `room` changes, and leaves the previous one', async () => {
      const heard: string[] = []
      const roomId: Component = (use) => {
        const room = use.room()
        use.onEvent('entered', ({ member }) => heard.push(member.memberId))
        return () => room().id
      }
      const page = await mount({}, roomId, ids)
      expect(page.texts()).toEqual(['r', 'ada'])
      await page.set({ options: { room: 's' } })
      await left(1)
      expect(calls).toEqual(['join r', 'join s', 'leave r'])
      await page.act(() => until('the other room is loaded', () => page.texts()[1] === 'ada'))
      expect(page.texts()).toEqual(['s', 'ada'])
      // Closes the first room for good, so that all later events come from the second one.
      await page.act(() => fake.room.leave())
      void fake.enters('bob')
      await page.act(() => until('bob is shown', () => page.texts()[1]?.includes('bob')))
      expect(heard).toContain('bob')
    })

    test('a provider posts its profile only when the profile changed, and `null` when the profile is removed', async () => {
      const page = await mount({ profile: { name: 'Grace' } })
      const posted = (name: string | null) =>
        page.act(async () => {
          await until('the profile is posted', () => (fake.posts.at(-1)?.profile?.name ?? null) === name)
          await turn()
        })
      await posted('Grace')
      const posts = fake.posts.length
      await page.set({ options: { room: 'r', profile: { name: 'Grace' } } })
      await page.act(() => fake.room.flush())
      expect(fake.posts.length).toBe(posts)
      await page.set({ options: { room: 'r', profile: { name: 'Countess' } } })
      await posted('Countess')
      expect(fake.posts.length).toBe(posts + 1)
      await page.set({ options: { room: 'r' } })
      await posted(null)
      expect(calls).toEqual(['join r'])
    })

    test('a profile that a component has set is kept when another option of the provider changes', async () => {
      let room: () => Room<Types>
      const page = await mount({}, (use) => {
        room = use.room()
        const name = use.self(({ profile }) => profile?.name)
        return () => name() ?? ''
      })
      await page.act(() => until('we are in the room', () => room().self !== null))
      await page.act(() => room().update({ profile: { name: 'Grace' } }))
      await page.act(() => until('the profile is shown', () => page.texts()[0] === 'Grace'))
      await page.set({ options: { room: 'r', location: cell(3) } })
      await page.act(() => fake.room.flush())
      expect(page.texts()).toEqual(['Grace'])
      expect(fake.posts.at(-1)?.profile).not.toBe(null)
    })

    test('components show other members as they enter, move and leave, and the status of the room', async () => {
      const rows: Component = (use) => {
        const others = use.others((all) => all.map(({ location }) => location?.row ?? 'nowhere').join())
        return () => others()
      }
      const page = await mount({}, ids, rows, statusText)
      expect(page.texts()).toEqual(['ada', '1', 'live'])
      await page.act(() => fake.enters('bob'))
      expect(page.texts()).toEqual(['ada,bob', '1,nowhere', 'live'])
      await page.act(() => fake.moves('bob', cell(2)))
      expect(page.texts()).toEqual(['ada,bob', '1,2', 'live'])
      await page.act(() => fake.leaves('ada'))
      expect(page.texts()).toEqual(['bob', '2', 'live'])
      await page.act(() => fake.degrades())
      expect(page.texts()[2]).toBe('degraded')
      await page.act(() => fake.recovers())
      expect(page.texts()[2]).toBe('live')
    })

    test('a component is rendered again only when the value that it selects changes', async () => {
      const count: Component = (use) => {
        const others = use.others((all) => all.length)
        return () => String(others())
      }
      const names: Component = (use) => {
        const others = use.others(
          (all) => all.map(({ profile }) => profile?.name),
          (a, b) => a.join() === b.join(),
        )
        const otherIds = use.otherIds()
        return () => `${others().join()} ${otherIds().join()}`
      }
      const page = await mount({}, count, names)
      page.renders()
      for (let row = 2; row < 12; row++) await page.act(() => fake.moves('ada', cell(row)))
      expect(page.renders()).toBe(0)
      await page.act(() => fake.enters('bob', { profile: { name: 'Bob' } }))
      expect(page.texts()).toEqual(['2', 'Ada,Bob ada,bob'])
      expect(page.renders()).toBe(2)
    })

    test('a value is updated when its reactive argument changes', async () => {
      const at: Component = (use, { row }) => {
        const there = use.membersAt(() => cell(row()))
        return () =>
          there()
            .map(({ memberId }) => memberId)
            .join()
      }
      const name: Component = (use, { row }) => {
        const ada = use.other(
          () => (row() === 1 ? 'ada' : 'bob'),
          ({ profile }) => profile?.name,
        )
        return () => ada() ?? 'nobody'
      }
      const page = await mount({}, at, name)
      expect(page.texts()).toEqual(['ada', 'Ada'])
      await page.set({ row: 2 })
      expect(page.texts()).toEqual(['', 'nobody'])
      await page.act(() => fake.moves('ada', cell(2)))
      expect(page.texts()).toEqual(['ada', 'nobody'])
      await page.act(() => fake.enters('bob', { profile: { name: 'Bob' } }))
      expect(page.texts()).toEqual(['ada', 'Bob'])
      await page.set({ row: 1 })
      expect(page.texts()).toEqual(['', 'Ada'])
    })

    test('a selector that reads a reactive argument uses its newest value after the next change of the room', async () => {
      const isThere: Component = (use, { row }) => {
        const others = use.others((all) => all.some(({ location }) => location?.row === row()))
        return () => String(others())
      }
      // In React, a selector that changes is a new closure, which other tests cover.
      const page = await mount({}, isThere)
      expect(page.texts()).toEqual(['true'])
      await page.set({ row: 2 })
      expect(page.texts()).toEqual(['false'])
      await page.act(() => fake.moves('ada', cell(2)))
      expect(page.texts()).toEqual(['true'])
    })

    test('components show our own post and presence value at once', async () => {
      let room: () => Room<Types>
      const self: Component = (use) => {
        room = use.room()
        const own = use.self(({ location, presence }) => `${location?.row} ${presence.typing}`)
        const members = use.members()
        return () => `${own()} of ${members().length}`
      }
      const page = await mount({}, self)
      await page.act(() => until('we are shown', () => page.texts()[0] === 'undefined undefined of 2'))
      await page.act(() => {
        room().post(cell(5))
        room().setPresence({ typing: true })
      })
      expect(page.texts()).toEqual(['5 true of 2'])
      await page.act(() => room().flush())
    })

    test('listeners of events and broadcasts are called until their component is unmounted', async () => {
      const heard: string[] = []
      const listener: Component = (use) => {
        use.onEvent('moved', ({ member }) => heard.push(`moved ${member.memberId}`))
        use.onWave((emoji) => heard.push(emoji))
        return () => ''
      }
      const page = await mount({}, listener)
      await page.act(() => fake.moves('ada', cell(2)))
      await page.act(() => fake.sends('ada', 'wave', { emoji: '👋' }))
      await page.act(() => until('both are heard', () => heard.length === 2))
      expect(heard).toEqual(['moved ada', '👋'])
      await page.set({ shown: false })
      await page.act(() => fake.moves('ada', cell(3)))
      await page.act(() => fake.sends('ada', 'wave', { emoji: '👋' }))
      expect(heard.length).toBe(2)
    })

    test('useLock shows who has a place, acquires it when it is free, and releases it', async () => {
      const { page, lock } = await lockPage()
      expect(page.texts()).toEqual(['free'])
      await page.act(() => fake.locks('ada', cell(1)))
      await page.act(() => until('ada has it', () => page.texts()[0] === 'taken'))
      expect(lock()).toMatchObject({ holder: { memberId: 'ada' } })
      expect(await page.act(() => lock().acquire())).toBe(false)
      await page.act(() => fake.unlocks('ada', cell(1)))
      await page.act(() => until('it is free', () => page.texts()[0] === 'free'))
      expect(await page.act(() => lock().acquire())).toBe(true)
      expect(page.texts()).toEqual(['mine'])
      expect(lock()).toMatchObject({ lock: { location: cell(1) } })
      await page.act(() => lock().release())
      await page.act(() => until('it is free', () => page.texts()[0] === 'free'))
    })

    test('useLock releases a place when its location changes, and when the component is unmounted', async () => {
      const { page, lock } = await lockPage()
      await page.act(() => lock().acquire())
      await page.set({ row: 2 })
      expect(page.texts()).toEqual(['free'])
      await page.act(() => until('the first is free', () => fake.room.lockedBy(cell(1)) === null))
      await page.act(() => lock().acquire())
      await page.act(() => until('we have the second', () => fake.room.lockedBy(cell(2))?.memberId === 'me'))
      await page.set({ shown: false })
      await page.act(() => until('the second is free', () => fake.room.lockedBy(cell(2)) === null))
    })

    const { createRow } = binding
    // React has no time between a change of the place and its effects: the place changes with a render.
    const describeMoment = createRow ? describe : () => {}
    describeMoment('useLock right after the place changed', () => {
      test('acquire right after a change of the place releases the previous place and takes the new one', async () => {
        const { page, lock, setAndRun } = await rowPage()
        await page.act(() => lock().acquire())
        const acquired = await page.act(() => setAndRun(2, () => lock().acquire()))
        await page.act(() => until('the first is free', () => fake.room.lockedBy(cell(1)) === null))
        expect([acquired, fake.room.lockedBy(cell(2))?.memberId]).toEqual([true, 'me'])
        expect(page.texts()).toEqual(['mine'])
      })

      test('acquire right after a change of the place takes the new place when no place is held', async () => {
        const { page, lock, setAndRun } = await rowPage()
        const acquired = await page.act(() => setAndRun(2, () => lock().acquire()))
        expect([acquired, fake.room.lockedBy(cell(2))?.memberId]).toEqual([true, 'me'])
        expect(page.texts()).toEqual(['mine'])
      })

      test('acquire right after a change of the place cancels a pending call for the previous place', async () => {
        const { page, lock, setAndRun } = await rowPage()
        const results = await page.act(() => Promise.all([lock().acquire(), setAndRun(2, () => lock().acquire())]))
        expect(results).toEqual([false, true])
        await page.act(() => until('the first is free', () => fake.room.lockedBy(cell(1)) === null))
        expect(page.texts()).toEqual(['mine'])
      })

      test('acquire right after a change of the place resolves to false when another member has the new place', async () => {
        const { page, lock, setAndRun } = await rowPage()
        await page.act(() => fake.locks('ada', cell(2)))
        await page.act(() => lock().acquire())
        expect(await page.act(() => setAndRun(2, () => lock().acquire()))).toBe(false)
        await page.act(() => until('the first is free', () => fake.room.lockedBy(cell(1)) === null))
        expect(page.texts()).toEqual(['taken'])
      })

      test('a change of the place without a new acquire releases the previous place', async () => {
        const { page, lock, setAndRun } = await rowPage()
        await page.act(() => lock().acquire())
        await page.act(() => setAndRun(2, () => {}))
        await page.act(() => until('the first is free', () => fake.room.lockedBy(cell(1)) === null))
        expect(page.texts()).toEqual(['free'])
      })

      async function rowPage() {
        const { row, setAndRun } = createRow!(1)
        return { ...(await lockPage(row)), setAndRun }
      }
    })

    async function lockPage(rowOf?: () => number) {
      let lock: ReturnType<Parameters<Component>[0]['lock']>
      const component: Component = (use, { row }) => {
        lock = use.lock(() => cell((rowOf ?? row)()))
        return () => lock().state
      }
      const page = await mount({}, component)
      return { page, lock: () => lock() }
    }

    test('a provider with `watch` shows the room without joining it or posting a profile', async () => {
      const page = await mount({ watch: true, profile: { name: 'Grace' } }, ids)
      // The member of the fake room is shown, too, so the list is not empty once the room is loaded.
      await page.act(() => until('the room is loaded', () => page.texts()[0] !== ''))
      expect(calls).toEqual(['watch r'])
      expect(fake.posts.some(({ profile }) => profile?.name === 'Grace')).toBe(false)
    })

    test('a component without a provider throws an error that names the provider', () => {
      expect(() => binding.mountWithout(client, statusText)).toThrow(/RoomProvider|provideRoom/)
    })
  })
}
