import { checkLength } from './wire-limits.js'

/** Reads a body to its end, as text. @throws Error when the body is too long; the rest is not read then. */
export async function textOf(response: Response): Promise<string> {
  const reader = response.body?.getReader?.()
  // Without streams, as in React Native, the body has already been read; the body of node-fetch is a stream of Node.
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
