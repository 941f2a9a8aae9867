import { Announcer, ConnectionNotice } from 'hereabouts/react/ui'
import { useEffect, useRef, useState } from 'react'
import { Bar, Sums } from './bar.js'
import { sheetNamed, sheets } from './data.js'
import { useEditing } from './editing.js'
import { LogIcon, Mark } from './icons.js'
import { RoomProvider, usePost, useRoom, useStatus, type Location, type Member, type Profile } from './locations.js'
import { Log, useLines } from './log.js'
import {
  rememberedLog,
  rememberedPlace,
  rememberedProfile,
  rememberLog,
  rememberPlace,
  rememberChoice,
  rememberProfile,
} from './memory.js'
import { Notices, useLook } from './notices.js'
import { People } from './people.js'
import { toLocation, toPlace, type Place } from './place.js'
import { You } from './profile.js'
import { Reset } from './reset.js'
import { at, type Selection } from './selection.js'
import { Share } from './share.js'
import { Sheet } from './sheet.js'
import { Reactions, useSignals } from './signals.js'
import { Status } from './status.js'
import { Tabs } from './tabs.js'
import { useValues, ValuesProvider } from './values.js'

const wide = window.matchMedia('(min-width: 60rem)')
const spotlightMs = 3_000

export function App({ room }: { room: string }) {
  const [profile, setProfile] = useState(rememberedProfile)
  const [start] = useState(() => rememberedPlace(room))
  useEffect(() => rememberProfile(profile), [profile])
  const choose = (profile: Profile) => {
    rememberChoice(profile)
    setProfile(profile)
  }
  return (
    <RoomProvider room={room} profile={profile} location={toLocation(start)}>
      <ValuesProvider room={room}>
        <Page room={room} start={start} profile={profile} onProfile={choose} />
      </ValuesProvider>
    </RoomProvider>
  )
}

type PageProps = { room: string; start: Place; profile: Profile; onProfile(profile: Profile): void }

function Page({ room, start, profile, onProfile }: PageProps) {
  const joined = useRoom()
  const status = useStatus()
  const { place, select, open, go } = usePlace(room, start)
  const [spotlight, setSpotlight] = useSpotlight()
  const [logOpen, setLogOpen] = useState(() => wide.matches && rememberedLog(false))
  const lines = useLines()
  const editing = useEditing()
  const { reset } = useValues()
  const [look, setLook] = useLook()
  const { bubbles, react, lookAt } = useSignals(setLook)
  const [problem, setProblem] = useState('')
  const tell = (isSent: boolean) => setProblem(isSent ? '' : 'Not sent: you are offline, or sent too many.')

  const toggleLog = () => {
    if (wide.matches) rememberLog(!logOpen)
    setLogOpen(!logOpen)
  }
  const goTo = (location: Location | null) => {
    if (!location || !sheetNamed(location.sheet)) return
    go(toPlace(location))
    setLook(null)
  }
  const jump = ({ memberId, location }: Member) => {
    goTo(location)
    setSpotlight(memberId)
  }
  const turn = (by: 1 | -1) => {
    const next = sheets[sheets.findIndex((sheet) => sheet.name === place.sheet) + by]
    if (next) open(next.name)
  }

  return (
    <>
      <header className="top">
        <h1>
          <Mark />
          <span className="wordmark">Hereabouts</span>
          <span className="room" title="For another room, add ?room=name to the address">
            {room}
          </span>
        </h1>
        <p className="tagline">A spreadsheet where you see who is where, and who edits what, right now</p>
        <Status />
        <People onJump={jump} />
        <div className="tools">
          <Share />
          <button
            type="button"
            className="quiet"
            aria-pressed={logOpen}
            aria-label="Live log"
            title="Live log"
            onClick={toggleLog}
          >
            <LogIcon />
          </button>
          <You profile={profile} onChange={onProfile} />
        </div>
      </header>
      <ConnectionNotice className="note" status={status} onRetry={() => joined.retry()} />
      <Bar
        place={place}
        onSelect={select}
        onEdit={() => editing.start(place.sheet, place.selection.anchor)}
        onLookHere={() => void lookAt(toLocation(place)).then(tell)}
      >
        <Reactions onReact={(emoji) => void react(emoji).then(tell)} />
        <Reset onReset={() => void reset().catch((error: Error) => setProblem(`Not reset. ${error.message}`))} />
      </Bar>
      <main>
        <div id="sheet" className="panel" role="tabpanel" aria-label={place.sheet}>
          <Sheet
            place={place}
            spotlight={spotlight}
            editing={editing}
            bubbles={bubbles}
            onSelect={select}
            onTurn={turn}
          />
          <Notices
            look={look}
            editing={editing}
            problem={problem}
            onGo={goTo}
            onClose={() => {
              setLook(null)
              setProblem('')
            }}
          />
        </div>
        {logOpen && <Log lines={lines} onClose={toggleLog} />}
      </main>
      <footer>
        <Tabs current={place.sheet} onOpen={open} />
        <Sums place={place} />
      </footer>
      <Announcer room={joined} />
    </>
  )
}

/** Holds the selection of this page. Each move is stored and posted to the room. Each sheet keeps its own selection. */
function usePlace(room: string, start: Place) {
  const [place, setPlace] = useState(start)
  const selections = useRef(new Map([[start.sheet, start.selection]]))
  const post = usePost()
  useEffect(() => {
    selections.current.set(place.sheet, place.selection)
    rememberPlace(room, place)
    post(toLocation(place))
  }, [room, place, post])
  return {
    place,
    select: (selection: Selection) => setPlace({ sheet: place.sheet, selection }),
    open: (sheet: string) => setPlace({ sheet, selection: selections.current.get(sheet) ?? at(3, 0) }),
    go: (to: Place) => setPlace(inside(to)),
  }
}

/** Limits a location to the cells of its sheet. Other clients, such as the command line, may post locations outside. */
function inside({ sheet, selection: { anchor, head } }: Place): Place {
  const { rows, cols } = sheetNamed(sheet)!
  const clamp = (cell: typeof head) => ({ row: Math.min(cell.row, rows - 1), col: Math.min(cell.col, cols - 1) })
  return { sheet, selection: { anchor: clamp(anchor), head: clamp(head) } }
}

function useSpotlight() {
  const [memberId, setMemberId] = useState<string | null>(null)
  useEffect(() => {
    const timer = setTimeout(() => setMemberId((now) => (now === memberId ? null : now)), spotlightMs)
    return () => clearTimeout(timer)
  }, [memberId])
  return [memberId, setMemberId] as const
}
