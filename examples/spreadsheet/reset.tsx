import { ResetIcon } from './icons.js'
import { Popover } from './popover.js'

/** Explains where the values of the cells are stored, and resets all of them. */
export function Reset({ onReset }: { onReset(): void }) {
  return (
    <Popover label="Reset the sheet" className="reset" button={<ResetIcon />}>
      {(close) => (
        <>
          <h2>A sheet to try things on</h2>
          <p className="hint">
            Everybody in this room edits the same cells. They are kept in the memory of the server: a restart, or this
            button, brings the first values back.
          </p>
          <div className="buttons">
            <button
              type="button"
              className="main"
              onClick={() => {
                close()
                onReset()
              }}
            >
              Reset it for everybody
            </button>
          </div>
        </>
      )}
    </Popover>
  )
}
