import type { checkLength as checkLengthOf } from './wire-limits.js'

export type Message = { type: string; data: string; lastEventId: string }

/**
 * Parses an event stream (HTML §9.2.6) piece by piece. Returns the function that takes the next piece of text. The
 * function throws the error of `checkLength` when a line or a message is too long.
 */
export function eventStream(
  dispatch: (message: Message) => void,
  checkLength: typeof checkLengthOf,
): (text: string) => void {
  let rest = ''
  let endsWithCr = false
  let data: string[] = []
  let type = ''
  let lastEventId = ''
  let pendingLength = 0

  const takeLine = (line: string) => {
    // "If the line is empty (a blank line): Dispatch the event", and "if the data buffer is an empty string", do not.
    if (line === '') {
      if (data.length > 0) dispatch({ type: type || 'message', data: data.join('\n'), lastEventId })
      data = []
      type = ''
      pendingLength = 0
      return
    }
    // "If the line starts with a U+003A COLON character (:): Ignore the line." The name of its field is empty and
    // matches none below.
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    // "If value starts with a U+0020 SPACE character, remove it from value."
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') {
      data.push(value)
      pendingLength += value.length + 1
    }
    if (field === 'event') type = value
    // "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value."
    else if (field === 'id' && !value.includes('\0')) lastEventId = value
    // `retry` is ignored: the caller decides when to reconnect. "Otherwise: The field is ignored."
  }
  return (text) => {
    rest += text
    checkLength(rest.length - text.length + pendingLength)
    // A snapshot of a large room is one line in many pieces: to search all of it for each piece would take quadratic
    // time.
    if (!endsWithCr && !/[\r\n]/.test(text)) return
    // Lines end with CRLF, LF or CR; a CR at the end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    endsWithCr = rest.endsWith('\r')
    lines.forEach(takeLine)
  }
}
