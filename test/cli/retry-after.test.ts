import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { run } from './command.js'

/** A server that answers each request with the given tRPC error, and `applied` once the errors are used up. */
async function serverThatAnswers(...errors: { message: string; data?: { retryAfterMs: number } }[]) {
  let requests = 0
  const server = createServer((_request, response) => {
    const error = errors[requests++]
    response.writeHead(error ? 503 : 200, { 'content-type': 'application/json' })
    const data = { outcome: 'applied', connectionId: 'c', memberId: 'm', seq: 1 }
    response.end(JSON.stringify(error ? { error } : { result: { data } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/trpc`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Posts one location from stdin: only with `--location -` does `post` wait when it is rate-limited. */
const post = (url: string) =>
  run(['post', '--url', url, '--room', 'r', '--location', '-'], { input: '{"sheet":"s","row":1,"col":1}\n' })

test('`post` does not retry an error whose sentence only mentions a duration', async () => {
  const message = 'unavailable: identify() did not answer within 10 ms.'
  await using server = await serverThatAnswers({ message }, { message }, { message })
  const { code } = await post(server.url)
  expect(server.requests()).toBe(1)
  expect(code).toBe(3)
})

test.each([
  ['the field retryAfterMs', { message: 'rate-limited: Too many posts.', data: { retryAfterMs: 10 } }],
  ['a sentence that ends with the wait', { message: 'rate-limited: Too many posts: try again in 10 ms.' }],
])('`post` waits and retries when the error carries %s', async (_, error) => {
  await using server = await serverThatAnswers(error)
  const { code, stderr } = await post(server.url)
  expect(server.requests(), stderr).toBe(2)
  expect(code).toBe(0)
})
