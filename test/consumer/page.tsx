import { createLocationClient } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import { renderToString } from 'react-dom/server'
import type { AppRouter } from './app.js'

const client = createLocationClient<AppRouter>({ url: 'http://127.0.0.1:9/trpc', path: 'locations' })
const { RoomProvider, useOthers, usePost, useStatus } = createLocationHooks(client)

function People() {
  const others = useOthers()
  const post = usePost()
  const { state } = useStatus()
  // @ts-expect-error: line is a number
  const wrong = () => post({ page: 'intro', line: 'four' })
  return (
    <button onClick={() => post({ page: 'intro', line: 4 })} onDoubleClick={wrong}>
      {state}: {others.map(({ profile }) => profile?.name)}
    </button>
  )
}

console.log(
  renderToString(
    <RoomProvider room="ada/1" profile={{ name: 'Ada' }}>
      <People />
    </RoomProvider>,
  ),
)
await client.close()
