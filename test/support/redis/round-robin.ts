import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A load balancer without sticky sessions: each request goes to the next of several servers. */
export interface RoundRobin extends AsyncDisposable {
  readonly url: string
  /** The URLs of the servers, used in turn. May be changed at any time. */
  targets: string[]
}

export async function roundRobin(targets: string[]): Promise<RoundRobin> {
  let turn = 0
  const server = createServer((incoming, outgoing) => {
    const target = balancer.targets[turn++ % balancer.targets.length]!
    const { method = 'GET', headers, url = '/' } = incoming
    const passedOn = request(new URL(url, target), { method, headers, agent: false }, (response) => {
      outgoing.writeHead(response.statusCode!, response.headers)
      outgoing.flushHeaders()
      response.pipe(outgoing)
      response.on('close', () => outgoing.destroy())
    })
    passedOn.on('error', () => outgoing.destroy())
    outgoing.on('close', () => passedOn.destroy())
    incoming.pipe(passedOn)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const balancer: RoundRobin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${new URL(targets[0]!).pathname}`,
    targets,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
  return balancer
}

/** Returns a `fetch` that sends each request to the next of several servers, without the cost of a proxy. */
export function byTurns(targets: string[]): typeof fetch {
  let turn = 0
  return (input, init) => {
    // Our client passes the URL as a string.
    const { pathname, search } = new URL(input as string)
    return fetch(new URL(pathname + search, targets[turn++ % targets.length]), init)
  }
}
