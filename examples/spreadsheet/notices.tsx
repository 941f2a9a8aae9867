import { useEffect, useState } from 'react'
import { CloseIcon } from './icons.js'
import type { Location } from './locations.js'
import { nameOfCell, type Editing } from './editing.js'
import { isolated } from './paint.js'
import { placeName } from './place.js'
import type { Look } from './signals.js'

const lookMs = 8_000

/** Returns the newest "look here" message, until it is closed or too old. */
export function useLook() {
  const [look, setLook] = useState<Look | null>(null)
  useEffect(() => {
    const timer = setTimeout(() => setLook((now) => (now === look ? null : now)), lookMs)
    return () => clearTimeout(timer)
  }, [look])
  return [look, setLook] as const
}

type NoticesProps = {
  look: Look | null
  editing: Editing
  /** A sentence that describes a failure; `''` for none. */
  problem: string
  onGo(location: Location): void
  onClose(): void
}

/**
 * Shows the newest "look here" message, and texts that could not be saved or messages that could not be sent. Screen
 * readers announce all of them.
 */
export function Notices({ look, editing, problem, onGo, onClose }: NoticesProps) {
  const { unsaved } = editing
  return (
    <div className="notices">
      <div role="alert">
        {unsaved && (
          <p className="notice-box is-problem">
            <span>{`${nameOfCell(unsaved.sheet, unsaved.cell)} was not saved. ${unsaved.reason}`}</span>
            <button
              type="button"
              className="plain"
              onClick={() => {
                onGo({ sheet: unsaved.sheet, ...unsaved.cell })
                editing.start(unsaved.sheet, unsaved.cell, unsaved.text)
              }}
            >
              Edit again
            </button>
            <CloseButton onClick={editing.dismiss} />
          </p>
        )}
        {problem && (
          <p className="notice-box is-problem">
            <span>{problem}</span>
            <CloseButton onClick={onClose} />
          </p>
        )}
      </div>
      <output>
        {look && (
          <span className="notice-box">
            <span>{`${isolated(look.name)} asks you to look at ${placeName(look.at)}.`}</span>
            <button type="button" className="plain" onClick={() => onGo(look.at)}>
              Go there
            </button>
            <CloseButton onClick={onClose} />
          </span>
        )}
      </output>
    </div>
  )
}

const CloseButton = ({ onClick }: { onClick(): void }) => (
  <button type="button" className="quiet" aria-label="Close this message" onClick={onClick}>
    <CloseIcon />
  </button>
)
