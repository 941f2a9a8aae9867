import { For, from } from 'solid-js'
import { join, somewhere } from './room.js'

export function People() {
  const room = join('Solid')
  const snapshot = from(room, room.getSnapshot())
  return (
    <>
      <button onClick={() => room.post(somewhere())}>Go somewhere</button>
      <p>{snapshot().status.state}</p>
      <ul>
        <For each={snapshot().others}>
          {({ profile, location }) => (
            <li>{`${profile?.name} is ${location ? `in row ${location.row + 1}` : 'here'}`}</li>
          )}
        </For>
      </ul>
    </>
  )
}
