import { PeopleIcon } from './icons.js'
import { useMembers, useOthers, useSelf, type Location, type Member } from './locations.js'
import { colorOfMember, initials, nameOfMember, paint } from './paint.js'
import { placeName } from './place.js'
import { sheetNamed } from './data.js'
import { Popover } from './popover.js'

export type Jump = (member: Member) => void

const stackSize = 5

/** The avatars at the top right. They open a list of all members and their locations. */
export function People({ onJump }: { onJump: Jump }) {
  const others = useOthers()
  const members = useMembers()
  const shown = others.length > stackSize + 1 ? others.slice(0, stackSize) : others
  return (
    <section className="people" aria-label="People here">
      <ul className="stack">
        {shown.map((member) => (
          <li key={member.memberId}>
            <button
              type="button"
              className="face"
              style={paint(colorOfMember(member, members))}
              data-tip={`${nameOfMember(member)}${member.profile?.bot ? ' (bot)' : ''}: go to ${placeName(member.location)}`}
              aria-label={`${nameOfMember(member)}${member.profile?.bot ? ', a bot' : ''}: go to ${placeName(member.location)}, ${initials(nameOfMember(member))}`}
              aria-disabled={!canJump(member.location)}
              data-activity={member.activity}
              onClick={() => canJump(member.location) && onJump(member)}
            >
              {initials(nameOfMember(member))}
            </button>
          </li>
        ))}
      </ul>
      <Popover
        label={`Everyone here: ${others.length + 1}`}
        className="people-list"
        buttonClass="count"
        button={
          <>
            <PeopleIcon />
            <span className="number">{others.length + 1}</span>
          </>
        }
      >
        {(close) => (
          <Everyone
            onJump={(member) => {
              close()
              onJump(member)
            }}
          />
        )}
      </Popover>
    </section>
  )
}

const canJump = (location: Location | null) => location !== null && sheetNamed(location.sheet) !== undefined

function Everyone({ onJump }: { onJump: Jump }) {
  const self = useSelf()
  const others = useOthers()
  return (
    <>
      <h2>Here now</h2>
      <p className="hint">Everybody who has this page open is shown, with the cell that they look at.</p>
      <ul>
        {self && <Person member={self} own />}
        {others.map((member) => (
          <Person key={member.memberId} member={member} onJump={onJump} />
        ))}
      </ul>
      {others.length === 0 && (
        <p className="hint">Nobody else yet. Open this page in a second window to see how it feels.</p>
      )}
    </>
  )
}

function Person({ member, own = false, onJump }: { member: Member; own?: boolean; onJump?: Jump }) {
  const members = useMembers()
  return (
    <li className="person">
      <span
        className="face"
        style={paint(colorOfMember(member, members))}
        data-activity={member.activity}
        aria-hidden="true"
      >
        {initials(nameOfMember(member))}
      </span>
      <span className="person-name">
        <bdi>{nameOfMember(member)}</bdi>
        {own && <span className="badge">you</span>}
        {member.profile?.bot && <span className="badge">bot</span>}
        {member.activity !== 'active' && <span className="badge">{member.activity}</span>}
      </span>
      <span className="person-place">{placeName(member.location)}</span>
      {onJump && (
        <button
          type="button"
          className="plain"
          disabled={!canJump(member.location)}
          aria-label={`Go to ${nameOfMember(member)}`}
          onClick={() => onJump(member)}
        >
          Go to
        </button>
      )}
    </li>
  )
}
