// @vitest-environment jsdom
import type { LocationClient } from 'hereabouts/client'
import { createLocationComposables, useLock } from 'hereabouts/vue'
import { createApp, defineComponent, h, nextTick, shallowReactive, type Ref } from 'vue'
import { describeBinding } from './behaviours.js'
import { renderCounter, textsOf, type Binding, type Component, type Types, type Uses } from './binding.js'

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
  mountWithout(client, component) {
    const { use } = usesOf(client)
    const app = createApp({ setup: component.bind(null, use, { row: () => 1 }) })
    app.config.warnHandler = () => {}
    app.mount(document.createElement('main'))
  },
}

describeBinding('Vue', vue)
