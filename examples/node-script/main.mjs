// A bot that follows people: it goes to the cell to the right of the member who moved last.
import { createLocationClient } from 'hereabouts/client'

const [url = 'http://localhost:3000/trpc', name = 'demo'] = process.argv.slice(2)

const client = createLocationClient({ url, leaveOnExit: true })
const room = client.join(name, { profile: { name: 'Shadow' } })

room.on('moved', ({ member, current }) => {
  // A member may have selected a range, which has no single cell to go to.
  if (!current || !('row' in current)) return
  room.post({ ...current, col: Math.min(current.col + 1, 16_383) })
  console.log(`${member.profile?.name ?? member.memberId} is in row ${current.row + 1}: following`)
})
room.on('left', ({ member }) => console.log(`${member.profile?.name ?? member.memberId} left`))

// The room reconnects, resumes and posts its location again by itself.
room.on('status', () => console.log(`now ${room.status.state}`))
room.on('error', ({ error }) => console.error(error.message))
