import { useState } from 'react'
import { LinkIcon } from './icons.js'
import { Popover } from './popover.js'

/** A link that opens the sheet in a second window or on another device. */
export function Share() {
  const [copied, setCopied] = useState(false)
  const link = window.location.href
  const copy = async () => {
    // Without HTTPS or permission, the page cannot use the clipboard; the user can then copy the link by hand.
    await navigator.clipboard?.writeText(link).then(
      () => setCopied(true),
      () => setCopied(false),
    )
    setTimeout(() => setCopied(false), 2_000)
  }
  return (
    <Popover
      label="Share this room"
      className="share"
      buttonClass="quiet with-text"
      button={
        <>
          <LinkIcon />
          <span className="wide-only">Share</span>
        </>
      }
    >
      {() => (
        <>
          <h2>See it with two</h2>
          <p>Open this page in a second window, or send the link to someone who can reach this server.</p>
          <label className="field">
            Link
            <input readOnly value={link} onFocus={(event) => event.target.select()} />
          </label>
          <div className="buttons">
            <button type="button" className="main" onClick={() => void copy()}>
              {copied ? 'Copied' : 'Copy link'}
            </button>
            <a className="main is-second" href={link} target="_blank" rel="noopener">
              Open a second window
            </a>
          </div>
        </>
      )}
    </Popover>
  )
}
