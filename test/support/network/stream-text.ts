import { until } from '../until.js'

/** Opens a stream and collects its text. `until` measures how long it takes until a given text arrives. */
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
    /** The text received since the last call of `until`. */
    get text() {
      return text
    },
    async until(what: string, withinMs: number) {
      const began = performance.now()
      text = ''
      await until(`the stream contains ${what}`, () => text.includes(what), withinMs)
      return Math.round(performance.now() - began)
    },
    close: () => closing.abort(),
  }
}
