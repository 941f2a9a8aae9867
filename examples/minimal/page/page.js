import { colorOf } from 'hereabouts'
import { createLocationClient } from 'hereabouts/client'

const client = createLocationClient({ url: '/trpc' })
const room = client.join('everyone', { profile: { name: `Guest ${Math.ceil(Math.random() * 99)}` } })
addEventListener('pointermove', ({ clientX, clientY }) =>
  room.post({ x: clientX / innerWidth, y: clientY / innerHeight }),
)

room.subscribe(({ others }) => {
  document.querySelectorAll('output').forEach((cursor) => cursor.remove())
  for (const { memberId, profile, location } of others) {
    if (!location) continue
    const cursor = document.body.appendChild(document.createElement('output'))
    cursor.textContent = `⬉ ${profile?.name}`
    cursor.style.cssText = `position: fixed; pointer-events: none; color: ${colorOf(memberId, others)}`
    cursor.style.left = `${location.x * 100}%`
    cursor.style.top = `${location.y * 100}%`
  }
})
