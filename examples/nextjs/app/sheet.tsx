'use client'

import { colorOf, type GetLocationsOutput } from 'hereabouts'
import { createLocationClient, type RoomTypesOf } from 'hereabouts/client'
import { createLocationHooks } from 'hereabouts/react'
import type { AppRouter } from '../server.mjs'

const client = createLocationClient<AppRouter>({ url: '/trpc', path: 'locations' })
const { RoomProvider, useMembers, useOthers, usePost, useSelf, useStatus } = createLocationHooks(client)

type SheetProps = { room: string; name: string; initial: GetLocationsOutput<RoomTypesOf<AppRouter>> }

export function Sheet({ room, name, initial }: SheetProps) {
  return (
    <RoomProvider room={room} profile={{ name }} initial={initial}>
      <People />
      <Rows />
    </RoomProvider>
  )
}

function People() {
  const members = useMembers()
  const status = useStatus()
  return (
    <>
      <h1>{`Here: ${status.state}`}</h1>
      <ul>
        {useOthers().map(({ memberId, profile, location }) => (
          <li key={memberId} style={{ color: colorOf(memberId, members) }}>
            {`${profile?.name} ${location ? `is in row ${location.row + 1}` : 'has just come'}`}
          </li>
        ))}
      </ul>
    </>
  )
}

function Rows() {
  const post = usePost()
  const mine = useSelf((self) => self.location?.row)
  return [0, 1, 2, 3].map((row) => (
    <button key={row} aria-pressed={row === mine} onClick={() => post({ sheet: 'Q3', row, col: 0 })}>
      {`Row ${row + 1}`}
    </button>
  ))
}
