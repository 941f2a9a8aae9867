import type { LocationClient } from 'hereabouts/client'
import { createLocationPrimitives } from 'hereabouts/solid'
import { createLocationStores } from 'hereabouts/svelte'
import { fakeRoom } from 'hereabouts/testing'
import { createLocationComposables, type RoomOptions } from 'hereabouts/vue'
import { createComponent } from 'solid-js'
import { renderToString as renderSolid } from 'solid-js/web'
import { render as renderSvelte } from 'svelte/server'
import { createSSRApp, defineComponent, h } from 'vue'
import { renderToString as renderVue } from 'vue/server-renderer'
import { expect, test } from 'vitest'
import type { Types } from './binding.js'
import Page from './svelte/Page.svelte'

/* These tests run in Node, without a document, as on a server. */

const place = { sheet: 'Q3', row: 1, col: 1 }

/**
 * Renders a page that posts while it is set up, and shows the status, the number of others and the number of members at
 * a place.
 */
type Render = (client: LocationClient<Types>, options: RoomOptions<Types>) => Promise<string>

const frameworks: Record<string, Render> = {
  async Vue(client, options) {
    const { provideRoom, useStatus, useOthers, useMembersAt, useRoom, useRoomEvent } = createLocationComposables(client)
    const Shown = defineComponent(() => {
      useRoom().value.post(place)
      useRoomEvent('entered', () => {})
      const [status, others, at] = [useStatus(), useOthers(), useMembersAt(place)]
      return () => h('p', `${status.value.state} ${others.value.length} ${at.value.length}`)
    })
    const App = defineComponent(() => {
      provideRoom(options)
      return () => h(Shown)
    })
    return renderVue(createSSRApp(App))
  },
  async Svelte(client, options) {
    const { provideRoom, useStatus, useOthers, useMembersAt, useRoom, useRoomEvent } = createLocationStores(client)
    const component = () => {
      useRoom().current.post(place)
      useRoomEvent('entered', () => {})
      const [status, others, at] = [useStatus(), useOthers(), useMembersAt(place)]
      return () => `${status.current.state} ${others.current.length} ${at.current.length}`
    }
    const initial = { options, row: 1, shown: true }
    return renderSvelte(Page, {
      props: { provideRoom, use: null, initial, components: [component], rendered() {} },
    }).body
  },
  async Solid(client, options) {
    const { RoomProvider, useStatus, useOthers, useMembersAt, useRoom, useRoomEvent } = createLocationPrimitives(client)
    const Shown = () => {
      useRoom()().post(place)
      useRoomEvent('entered', () => {})
      const [status, others, at] = [useStatus(), useOthers(), useMembersAt(place)]
      return `${status().state} ${others().length} ${at().length}`
    }
    const props = {
      ...options,
      get children() {
        return createComponent(Shown, {})
      },
    }
    return renderSolid(() => createComponent(RoomProvider, props))
  },
}

test.each(Object.entries(frameworks))('%s on a server joins nothing and renders an empty room', async (_, render) => {
  await using fake = await fakeRoom<Types>({ others: { ada: { location: place } } })
  const posts = fake.posts.length
  const joined: string[] = []
  const refuse = (id: string): never => {
    joined.push(id)
    throw new Error('A server joins nothing.')
  }
  const client = { ...fake.client, join: refuse, watch: refuse }
  expect(await render(client, { room: 'r' })).toContain('connecting 0 0')
  expect(joined).toEqual([])
  expect(fake.posts.length).toBe(posts)
})

test.each(Object.entries(frameworks))('%s on a server renders the members of `initial`', async (_, render) => {
  await using fake = await fakeRoom<Types>()
  const ada = {
    connectionId: 'ada',
    memberId: 'ada',
    profile: null,
    location: place,
    activity: 'active' as const,
    at: 1,
  }
  const initial = { id: 'epochepoch1.1', event: { type: 'snapshot' as const, connections: [ada] } }
  expect(await render(fake.client, { room: 'r', initial })).toContain('connecting 1 1')
})
