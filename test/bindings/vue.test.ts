// @vitest-environment jsdom
import type { LocationClient } from 'hereabouts/client'
import { fakeRoom } from 'hereabouts/testing'
import { createLocationComposables, useLock } from 'hereabouts/vue'
import { expect, test } from 'vitest'
import { createApp, defineComponent, h, KeepAlive, nextTick, reactive, ref, shallowReactive, type Ref } from 'vue'
import { until } from '../support/until.js'
import { describeBinding } from './behaviours.js'
import { renderCounter, textsOf, type Binding, type Component, type Types, type Uses } from './binding.js'
import { recording } from './recording.js'

const usesOf = (client: LocationClient<Types>) => {
  const composables = createLocationComposables(client)
  const read =
    <V>(value: Readonly<Ref<V>>) =>
    () =>
      value.value
  const use: Uses = {
    room: () => read(composables.useRoom()),
    status: () => read(composables.useStatus()),
    others: (...how: unknown[]) => read(composables.useOthers(...(how as [() => never]))),
    otherIds: () => read(composables.useOtherIds()),
    members: () => read(composables.useMembers()),
    self: (select) => read(composables.useSelf(select)),
    other: (memberId, select) => read(composables.useOther(memberId, select)),
    membersAt: (location) => read(composables.useMembersAt(location)),
    lock: (location) => read(useLock(composables.useRoom(), location)),
    onEvent: composables.useRoomEvent,
    onWave: (listener) => composables.useOnBroadcast('wave', ({ payload }) => listener(payload.emoji)),
  }
  return { ...composables, use }
}

const Shown = defineComponent({
  props: ['component', 'use', 'row', 'rendered'],
  setup(props: { component: Component; use: Uses; row: number; rendered(): void }) {
    const text = props.component(props.use, { row: () => props.row })
    return () => {
      props.rendered()
      return h('p', text())
    }
  },
})

const vue: Binding = {
  mountsAtOnce: true,
  async mount(client, options, components) {
    const { provideRoom, use } = usesOf(client)
    const { rendered, renders } = renderCounter()
    const state = shallowReactive({ options, row: 1, shown: true })
    const Page = defineComponent(() => {
      provideRoom(() => state.options)
      return () => state.shown && components.map((component) => h(Shown, { component, use, row: state.row, rendered }))
    })
    const target = document.createElement('main')
    const app = createApp(Page)
    app.mount(target)
    let isMounted = true
    return {
      texts: () => textsOf(target),
      renders,
      async set(change) {
        Object.assign(state, change)
        await nextTick()
      },
      async act(run) {
        const result = await run()
        await nextTick()
        return result
      },
      async unmount() {
        if (isMounted) app.unmount()
        isMounted = false
      },
    }
  },
  createRow(initial) {
    const row = ref(initial)
    return {
      row: () => row.value,
      setAndRun(next, run) {
        row.value = next
        return run()
      },
    }
  },
  mountWithout(client, component) {
    const { use } = usesOf(client)
    const app = createApp({ setup: component.bind(null, use, { row: () => 1 }) })
    app.config.warnHandler = () => {}
    app.mount(document.createElement('main'))
  },
}

describeBinding('Vue', vue)

test('the component that calls provideRoom can use the other composables, too', async () => {
  await using fake = await fakeRoom<Types>({ others: { ada: {} } })
  const { provideRoom, useOtherIds } = createLocationComposables(fake.client)
  const Page = defineComponent(() => {
    provideRoom({ room: fake.room.id })
    const ids = useOtherIds()
    return () => h('p', ids.value.join())
  })
  const target = document.createElement('main')
  const app = createApp(Page)
  app.mount(target)
  expect(textsOf(target)).toEqual(['ada'])
  app.unmount()
})

test('a provider leaves its room while KeepAlive hides it, and joins again when it is shown', async () => {
  await using fake = await fakeRoom<Types>()
  const calls: string[] = []
  const { provideRoom } = createLocationComposables(recording(fake.client, calls))
  const options = reactive({ room: 'kept', profile: { name: 'Grace' } })
  const isShown = ref(true)
  const Kept = defineComponent(() => {
    const room = provideRoom(options)
    return () => h('p', room.value.status.state)
  })
  const app = createApp(() => h(KeepAlive, () => (isShown.value ? h(Kept) : null)))
  app.mount(document.createElement('main'))
  const named = (name: string) => fake.posts.filter(({ profile }) => profile?.name === name).length
  await until('we are in the room', () => named('Grace') === 1)
  isShown.value = false
  await nextTick()
  options.profile.name = 'Countess'
  await until('we left', () => calls.length === 2)
  expect(named('Countess')).toBe(0)
  isShown.value = true
  await until('we are in the room again', () => named('Countess') === 1)
  expect(calls).toEqual(['join kept', 'leave kept', 'join kept'])
  app.unmount()
})
