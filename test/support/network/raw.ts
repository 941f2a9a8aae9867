import { request, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { text } from 'node:stream/consumers'

export type Answer = { status: number; headers: IncomingHttpHeaders; body: string }

/** Sends a request with exactly these headers: `fetch` forbids some headers and adds others. */
export async function raw(url: string, { body, ...options }: RequestOptions & { body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, timeout: 10_000 }, (response) => {
      const { statusCode: status = 0, headers } = response
      text(response).then((body) => resolve({ status, headers, body }), reject)
    })
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer for 10 seconds')))
    asked.end(body)
  })
}
