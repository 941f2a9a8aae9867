// @vitest-environment jsdom
import type { LocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { act } from 'react'
import { createRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { describeBinding } from './behaviours.js'
import { renderCounter, textsOf, type Binding, type Component, type Types, type Uses } from './binding.js'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

const usesOf = (client: LocationClient<Types>) => {
  const hooks = createLocationHooks(client)
  const read =
    <V,>(value: V) =>
    () =>
      value
  const use: Uses = {
    room: () => read(hooks.useRoom()),
    status: () => read(hooks.useStatus()),
    others: (...how: unknown[]) => read(hooks.useOthers(...(how as [() => never]))),
    otherIds: () => read(hooks.useOtherIds()),
    members: () => read(hooks.useMembers()),
    self: (select) => read(hooks.useSelf(select)),
    other: (memberId, select) => read(hooks.useOther(memberId(), select)),
    membersAt: (location) => read(hooks.useMembersAt(location())),
    lock: (location) => read(hooks.useLock(location())),
    onEvent: hooks.useRoomEvent,
    onWave: (listener) => hooks.useOnBroadcast('wave', ({ payload }) => listener(payload.emoji)),
  }
  return { ...hooks, use }
}

type ShownProps = { component: Component; use: Uses; row: number; rendered(): void }
function Shown({ component, use, row, rendered }: ShownProps) {
  rendered()
  return <p>{component(use, { row: () => row })()}</p>
}

const react: Binding = {
  mountsAtOnce: false,
  async mount(client, options, components) {
    const { RoomProvider, use } = usesOf(client)
    const { rendered, renders } = renderCounter()
    let state = { options, row: 1, shown: true }
    const target = document.createElement('main')
    const root = createRoot(target)
    const render = () =>
      act(async () =>
        root.render(
          <RoomProvider {...state.options}>
            {state.shown &&
              components.map((component, index) => (
                <Shown key={index} component={component} use={use} row={state.row} rendered={rendered} />
              ))}
          </RoomProvider>,
        ),
      )
    await render()
    return {
      texts: () => textsOf(target),
      renders,
      set(change) {
        state = { ...state, ...change }
        return render()
      },
      act: (run) => act(async () => run()),
      unmount: () => act(async () => root.unmount()),
    }
  },
  mountWithout(client, component) {
    const { use } = usesOf(client)
    renderToString(<Shown component={component} use={use} row={1} rendered={() => {}} />)
  },
}

describeBinding('React', react)
