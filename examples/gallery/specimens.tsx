import { useEffect, useMemo, useState, type ReactNode } from 'react'
import { AvatarStack, ConnectionNotice, Cursors, EditingBadge, MemberFlag } from 'hereabouts/react/ui'
import type { Person } from './people.js'
import { ada, bo, dagny, LocalRoom, negar, people } from './people.js'

const picture = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" fill="#fcd9b6"/><circle cx="20" cy="17" r="8" fill="#7c3f1d"/><path d="M4 40a16 14 0 0 1 32 0z" fill="#2563eb"/></svg>',
)}`

function Specimen({ title, children }: { title: string; children: ReactNode }) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div className="stage">{children}</div>
    </figure>
  )
}

export function Avatars() {
  const [chosen, setChosen] = useState<Person | null>(null)
  return (
    <section aria-labelledby="avatars">
      <h2 id="avatars">AvatarStack</h2>
      <Specimen title="Everybody has a place">
        <AvatarStack members={people.slice(0, 4)} />
      </Specimen>
      <Specimen title="The last place opens a list">
        <AvatarStack members={people} />
      </Specimen>
      <Specimen title="Active, idle, away">
        <AvatarStack members={[ada, bo, dagny]} size={40} />
      </Specimen>
      <Specimen title="Somebody left a moment ago">
        <AvatarStack members={[ada, negar]} recent={[people[7]!]} />
      </Specimen>
      <Specimen title="Avatars that can be chosen">
        <div className="row">
          <AvatarStack members={people.slice(4)} max={5} size={40} onSelect={setChosen} />
          <output>{chosen && `Go to ${chosen.profile?.name}`}</output>
        </div>
      </Specimen>
      <Specimen title="Sizes and pictures">
        <div className="row">
          {[20, 28, 48].map((size) => (
            <AvatarStack
              key={size}
              size={size}
              members={people.slice(0, 3)}
              components={{ Avatar: size === 48 ? Portrait : Initial }}
            />
          ))}
        </div>
      </Specimen>
      <Specimen title="Nobody">
        <AvatarStack members={[]} />
        <span className="note">An empty list</span>
      </Specimen>
    </section>
  )
}

type Parts = { member: Person; style: React.CSSProperties; name: string }

const Initial = ({ member, style, name }: Parts) => (
  <span className="hb-avatar" style={style} data-activity={member.activity} aria-hidden="true">
    <span>{Array.from(name)[0]}</span>
  </span>
)

const Portrait = ({ member, style }: Parts) => (
  <span className="hb-avatar" style={style} data-activity={member.activity} aria-hidden="true">
    <img src={picture} alt="" />
  </span>
)

export function Pointers({ isStill, count }: { isStill: boolean; count: number }) {
  const room = useMemo(
    () =>
      new LocalRoom(
        Array.from({ length: count }, (_, i) => ({ ...people[i % people.length]!, memberId: `member-${i}` })),
      ),
    [count],
  )
  useEffect(() => (isStill ? undefined : room.start(20)), [room, isStill])
  return (
    <section aria-labelledby="cursors">
      <h2 id="cursors">Cursors</h2>
      <Cursors room={room} point={({ pointer }) => pointer} className="board">
        <p className="note">Pointers glide over your content, without a render per move.</p>
      </Cursors>
    </section>
  )
}

export function Flags() {
  return (
    <section aria-labelledby="flags">
      <h2 id="flags">MemberFlag and EditingBadge</h2>
      <Specimen title="Names at a cell">
        <div className="row">
          {people.slice(0, 5).map((person) => (
            <MemberFlag key={person.memberId} member={person} members={people} />
          ))}
        </div>
      </Specimen>
      <Specimen title="A colour that was chosen">
        <div className="row">
          {['#facc15', '#7dd3fc', '#14532d'].map((color) => (
            <MemberFlag key={color} member={{ ...ada, profile: { name: color, color } }} />
          ))}
        </div>
      </Specimen>
      <Specimen title="A very long name">
        <MemberFlag member={{ ...ada, profile: { name: 'Wolfeschlegelsteinhausenbergerdorff the Third' } }} />
      </Specimen>
      <Specimen title="Somebody edits a field">
        <Field label="Title" lock={{ state: 'taken', holder: negar }} />
      </Specimen>
      <Specimen title="We edit in another window">
        <Field label="Owner" lock={{ state: 'otherWindow' }} />
      </Specimen>
      <Specimen title="A field that is free">
        <Field label="Notes" lock={{ state: 'free' }} />
      </Specimen>
    </section>
  )
}

function Field({ label, lock }: { label: string; lock: { state: string; holder?: Person } }) {
  return (
    <label className="field">
      <span>{label}</span>
      <EditingBadge lock={lock} members={people}>
        {(input) => <input defaultValue="Launch plan" {...input} />}
      </EditingBadge>
    </label>
  )
}

const error = { code: 'unavailable', message: 'Your access to this room was revoked.' } as never
/** A clock on which a delay of 5 seconds ends at once, so that the notice is shown without a wait. */
const late = {
  now: () => 0,
  date: () => new Date(0),
  after: (ms: number, run: () => void) => (ms === 5_000 && run(), () => {}),
}

export function Notices() {
  const onRetry = () => {}
  return (
    <section aria-labelledby="notices">
      <h2 id="notices">ConnectionNotice</h2>
      <Specimen title="The connection is lost">
        <ConnectionNotice
          clock={late}
          onRetry={onRetry}
          status={{ state: 'waiting', retryAt: new Date(7_000), attempt: 2, error }}
        />
      </Specimen>
      <Specimen title="The server has lost its store">
        <ConnectionNotice clock={late} status={{ state: 'degraded' }} />
      </Specimen>
      <Specimen title="The room is closed">
        <ConnectionNotice clock={late} onRetry={onRetry} status={{ state: 'closed', reason: 'forbidden', error }} />
      </Specimen>
      <Specimen title="All is well">
        <ConnectionNotice clock={late} status={{ state: 'live' }} />
        <span className="note">Nothing is shown</span>
      </Specimen>
    </section>
  )
}
