import { For } from 'solid-js'
import { somewhere } from './locations.js'
import { RoomProvider, useOthers, useRoom, useStatus } from './solid.js'

function People() {
  const room = useRoom()
  const status = useStatus()
  const others = useOthers()
  return (
    <>
      <button onClick={() => room().post(somewhere())}>Go somewhere</button>
      <p>{status().state}</p>
      <ul>
        <For each={others()}>
          {({ profile, location }) => (
            <li>{`${profile?.name} is ${location ? `in row ${location.row + 1}` : 'here'}`}</li>
          )}
        </For>
      </ul>
    </>
  )
}

export const Page = () => (
  <RoomProvider room="everyone" profile={{ name: 'Solid' }}>
    <People />
  </RoomProvider>
)
