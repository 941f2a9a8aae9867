import { useState } from 'react'
import { useMembers, useSelf, type Profile } from './locations.js'
import { rememberedTheme, rememberTheme, type Theme } from './memory.js'
import { colorOfMember, initials, isolated, paint, swatches } from './paint.js'
import { Popover } from './popover.js'

const longestName = 40

/** The form in which a visitor edits their own profile: a name and a colour. */
export function You({ profile, onChange }: { profile: Profile; onChange(profile: Profile): void }) {
  const members = useMembers()
  const self = useSelf()
  const color = colorOfMember({ memberId: self?.memberId ?? '', profile }, members)
  return (
    <Popover
      label={`You are ${profile.name}, ${initials(profile.name)}`}
      title={`You are ${isolated(profile.name)}`}
      className="you"
      buttonClass="face own"
      button={
        <span className="face-text" style={paint(color)}>
          {initials(profile.name)}
        </span>
      }
    >
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            close()
          }}
        >
          <h2>You</h2>
          <Name name={profile.name} onChange={(name) => onChange({ ...profile, name })} />
          <fieldset>
            <legend>Colour</legend>
            <div className="swatches">
              <Swatch label="Any free one" chosen={!profile.color} onChoose={() => onChange({ name: profile.name })} />
              {swatches.map((swatch) => (
                <Swatch
                  key={swatch}
                  color={swatch}
                  label={swatch}
                  chosen={profile.color === swatch}
                  onChoose={() => onChange({ ...profile, color: swatch })}
                />
              ))}
            </div>
          </fieldset>
          <ThemeChoice />
          <button type="submit" className="main">
            Done
          </button>
        </form>
      )}
    </Popover>
  )
}

function Name({ name, onChange }: { name: string; onChange(name: string): void }) {
  // The input may be empty while the user types, but an empty name is never posted.
  const [draft, setDraft] = useState<string | null>(null)
  return (
    <label className="field">
      Name
      <input
        value={draft ?? name}
        maxLength={longestName}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => {
          setDraft(event.target.value)
          const next = event.target.value.trim()
          if (next) onChange(next)
        }}
        onBlur={() => setDraft(null)}
      />
    </label>
  )
}

function Swatch({
  color,
  label,
  chosen,
  onChoose,
}: {
  color?: string
  label: string
  chosen: boolean
  onChoose(): void
}) {
  return (
    <label className={color ? 'swatch' : 'swatch any'} style={color ? paint(color) : undefined} title={label}>
      <input type="radio" name="color" checked={chosen} onChange={onChoose} aria-label={label} />
    </label>
  )
}

const themes: [Theme, string][] = [
  ['system', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
]

function ThemeChoice() {
  const [theme, setTheme] = useState(rememberedTheme)
  return (
    <fieldset>
      <legend>Appearance</legend>
      <div className="choice">
        {themes.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name="theme"
              checked={theme === value}
              onChange={() => {
                setTheme(value)
                rememberTheme(value)
                showTheme(value)
              }}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

export function showTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}
