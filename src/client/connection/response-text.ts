import { checkLength } from './wire-limits.js'

/** Reads a body to its end, as text. @throws Error when it is too long; the rest is not read then. */
export async function textOf(response: Response): Promise<string> {
  const reader = response.body?.getReader?.()
  // A runtime without streams, such as React Native, has already read it; the body of node-fetch is a stream of Node.
  if (!reader) return response.text()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return text
      text += decoder.decode(value, { stream: true })
      checkLength(text.length)
    }
  } finally {
    void reader.cancel().catch(() => {})
  }
}
