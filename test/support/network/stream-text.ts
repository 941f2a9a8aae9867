import { until } from '../until.js'

/** A stream as text, and how long it takes until something is said on it. */
export async function eventsOf(url: string, room: string) {
  const closing = new AbortController()
  const input = encodeURIComponent(JSON.stringify({ room }))
  const response = await fetch(`${url}/onLocation?input=${input}`, {
    headers: { accept: 'text/event-stream' },
    signal: closing.signal,
  })
  let text = ''
  const reading = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true })
  }
  reading().catch(() => {})
  return {
    /** All that was said since the last wait began. */
    get text() {
      return text
    },
    async until(what: string, withinMs: number) {
      const began = performance.now()
      text = ''
      await until(`a stream says ${what}`, () => text.includes(what), withinMs)
      return Math.round(performance.now() - began)
    },
    close: () => closing.abort(),
  }
}
