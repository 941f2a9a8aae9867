/// <reference types="vite/client" />
// The kit comes first: its first line sets the order of its cascade layer for later stylesheets, such as Tailwind.
import 'hereabouts/react/ui.css'
import './page.css'
import { StrictMode, useLayoutEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Avatars, Flags, Notices, Pointers } from './specimens.js'

/** The options in the address: ?theme=dark, ?dir=rtl, ?still (for screenshots) and ?count=200 (pointers). */
const query = new URLSearchParams(window.location.search)
const startsDark =
  query.get('theme') === 'dark' || (!query.has('theme') && matchMedia('(prefers-color-scheme: dark)').matches)

function Gallery() {
  const [isDark, setDark] = useState(startsDark)
  const [isRtl, setRtl] = useState(query.get('dir') === 'rtl')
  useLayoutEffect(() => {
    document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light'
    document.documentElement.dir = isRtl ? 'rtl' : 'ltr'
  }, [isDark, isRtl])
  return (
    <>
      <header>
        <div>
          <h1>UI kit</h1>
          <p>
            Every component of <code>hereabouts/react/ui</code>, in every state.
          </p>
        </div>
        <div className="row">
          <button type="button" aria-pressed={isDark} onClick={() => setDark(!isDark)}>
            Dark
          </button>
          <button type="button" aria-pressed={isRtl} onClick={() => setRtl(!isRtl)}>
            Right to left
          </button>
        </div>
      </header>
      <Avatars />
      <Pointers isStill={query.has('still')} count={Number(query.get('count') ?? 7)} />
      <Flags />
      <Notices />
    </>
  )
}

createRoot(document.querySelector('main')!).render(
  <StrictMode>
    <Gallery />
  </StrictMode>,
)
