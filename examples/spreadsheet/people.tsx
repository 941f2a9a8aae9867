import { AvatarStack } from 'hereabouts/react/ui'
import { useOthers, type Member } from './locations.js'
import { placeName } from './place.js'
import { useNarrow } from './use-narrow.js'

/**
 * The avatars of the other members. Each is a button that goes to the member's cell; the last one opens a list of all.
 */
export function People({ onJump }: { onJump(member: Member): void }) {
  const others = useOthers()
  const isNarrow = useNarrow()
  return (
    <section className="people" aria-label="People here">
      <AvatarStack
        members={others}
        max={isNarrow ? 2 : 6}
        size={isNarrow ? 34 : 30}
        onSelect={onJump}
        labels={{
          place: ({ location, profile }) => `${profile?.bot ? 'bot, ' : ''}${placeName(location)}`,
          members: (count) => (count === 1 ? '1 other person' : `${count} other people`),
        }}
      />
    </section>
  )
}
