import 'hereabouts/react/ui.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.js'
import { rememberedTheme } from './memory.js'
import { showTheme } from './profile.js'

showTheme(rememberedTheme())
const room = new URLSearchParams(window.location.search).get('room')?.trim() || 'demo'
document.title = `${room} · Hereabouts`
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App room={room} />
  </StrictMode>,
)
