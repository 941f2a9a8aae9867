// @vitest-environment jsdom
import type { LocationClient } from 'hereabouts/client'
import { createLocationPrimitives, useLock } from 'hereabouts/solid'
import { batch, createComponent, createMemo, createSignal, mergeProps, type JSX } from 'solid-js'
import { insert, render } from 'solid-js/web'
import { describeBinding } from './behaviours.js'
import { renderCounter, textsOf, type Binding, type Component, type Types, type Uses } from './binding.js'

const usesOf = (client: LocationClient<Types>) => {
  const primitives = createLocationPrimitives(client)
  const use: Uses = {
    room: primitives.useRoom,
    status: primitives.useStatus,
    others: primitives.useOthers,
    otherIds: primitives.useOtherIds,
    members: primitives.useMembers,
    self: primitives.useSelf,
    other: primitives.useOther,
    membersAt: primitives.useMembersAt,
    lock: (location) => useLock(primitives.useRoom(), location),
    onEvent: primitives.useRoomEvent,
    onWave: (listener) => primitives.useOnBroadcast('wave', ({ payload }) => listener(payload.emoji)),
  }
  return { ...primitives, use }
}

type ShownProps = { component: Component; use: Uses; row: number; rendered(): void }
function Shown(props: ShownProps): JSX.Element {
  const shown = document.createElement('p')
  const text = props.component(props.use, { row: () => props.row })
  insert(shown, () => {
    props.rendered()
    return text()
  })
  return shown
}

const solid: Binding = {
  mountsAtOnce: true,
  async mount(client, initial, components) {
    const { RoomProvider, use } = usesOf(client)
    const { rendered, renders } = renderCounter()
    const [options, setOptions] = createSignal(initial)
    const [row, setRow] = createSignal(1)
    const [shown, setShown] = createSignal(true)
    const target = document.createElement('main')
    const Parts = () =>
      components.map((component) =>
        createComponent(Shown, {
          component,
          use,
          rendered,
          get row() {
            return row()
          },
        }),
      )
    const children = {
      get children() {
        return createMemo(() => shown() && createComponent(Parts, {})) as unknown as JSX.Element
      },
    }
    const dispose = render(() => createComponent(RoomProvider, mergeProps(options, children)), target)
    return {
      texts: () => textsOf(target),
      renders,
      async set(change) {
        if (change.options) setOptions(change.options)
        if (change.row !== undefined) setRow(change.row)
        if (change.shown !== undefined) setShown(change.shown)
      },
      act: async (run) => run(),
      async unmount() {
        dispose()
      },
    }
  },
  createRow(initial) {
    const [row, setRow] = createSignal(initial)
    return {
      row,
      setAndRun: (next, run) =>
        batch(() => {
          setRow(next)
          return run()
        }),
    }
  },
  mountWithout(client, component) {
    const { use } = usesOf(client)
    const props = { component, use, row: 1, rendered() {} }
    render(() => createComponent(Shown, props), document.createElement('main'))
  },
}

describeBinding('Solid', solid)
