export type Message = { type: string; data: string; lastEventId: string }

/** Interprets an event stream, HTML §9.2.6, piece by piece as its text comes in. */
export function eventStream(dispatch: (message: Message) => void): (text: string) => void {
  let rest = ''
  let data: string[] = []
  let type = ''
  let lastEventId = ''

  const take = (line: string) => {
    // "If the line is empty (a blank line): Dispatch the event", and "if the data buffer is an empty string", do not.
    if (line === '') {
      if (data.length > 0) dispatch({ type: type || 'message', data: data.join('\n'), lastEventId })
      data = []
      type = ''
      return
    }
    // "If the line starts with a U+003A COLON character (:): Ignore the line." Its field has no name, and none is ours.
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    // "If value starts with a U+0020 SPACE character, remove it from value."
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') type = value
    // "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value."
    else if (field === 'id' && !value.includes('\0')) lastEventId = value
    // `retry` says when to reconnect, and that is not for this to know. "Otherwise: The field is ignored."
  }
  return (text) => {
    const whole = /[\r\n]/.test(rest.slice(-1) + text)
    rest += text
    // A snapshot of a large room is one line in many pieces.
    if (!whole) return
    // Lines end with CRLF, LF or CR; a CR at the end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop()!
    lines.forEach(take)
  }
}
