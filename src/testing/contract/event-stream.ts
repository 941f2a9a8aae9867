/** One message of a `text/event-stream` body. */
export type Message = { event: string; id: string; data: string }

/** Parses a body as HTML §9.2.6 specifies, limited to the fields that PROTOCOL uses. */
export async function* messagesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Message, void> {
  const decoder = new TextDecoder()
  let text = ''
  let message = blank
  for await (const chunk of chunksOf(body)) {
    text += decoder.decode(chunk, { stream: true })
    const lines = text.split(/\r\n|\n|\r/)
    text = lines.pop()!
    for (const line of lines) {
      // HTML §9.2.6: "If the line is empty (a blank line): dispatch the event". An event without data is not
      // dispatched.
      if (line === '' && message.data !== null) yield { ...message, data: message.data }
      message = line === '' ? { ...blank, id: message.id } : withField(message, line)
    }
  }
}

type Draft = { event: string; id: string; data: string | null }
const blank: Draft = { event: 'message', id: '', data: null }

function withField(message: Draft, line: string): Draft {
  const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!
  if (field === 'event') return { ...message, event: value }
  if (field === 'id') return { ...message, id: value }
  if (field === 'data') return { ...message, data: message.data === null ? value : `${message.data}\n${value}` }
  return message
}

/**
 * The chunks of a body. When the body is cut off, the chunks end without an error: the reader does not need the reason.
 */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch {
    return
  } finally {
    reader.cancel().catch(() => {})
  }
}
