import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'

/**
 * Starts a server and returns its URL.
 *
 * @throws LocationError `misconfigured` when the server listens already or cannot listen; its `cause` is Node's error,
 * whose `code` names the reason (`EADDRINUSE`, `EACCES`).
 */
async function listen(server: Server, port: number, host: string): Promise<string> {
  // Node's own error (`ERR_SERVER_ALREADY_LISTEN`) does not name the address that the server already listens on.
  if (server.listening)
    throw new LocationError('misconfigured', `This server listens already, at ${urlOf(server)}: create another one.`)
  // Node takes a port that is not a number for the path of a pipe, and an empty host, for example from an unset
  // variable, for all addresses.
  const isAddress = typeof host === 'string' && host !== ''
  if (!isAddress || !/^\d+$/.test(String(port)))
    throw new LocationError('misconfigured', adviceFor(null, port, isAddress ? host : JSON.stringify(host)))
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    throw new LocationError('misconfigured', adviceFor(cause, port, host), { cause })
  }
  return urlOf(server)
}

/** The port of one server, which may be closed at any time, also while the server begins to listen. */
export class ServerPort {
  readonly #server: Server
  /** The `listen` in progress. */
  #binding: Promise<string> | null = null
  #timesClosed = 0

  constructor(server: Server) {
    this.#server = server
  }

  /**
   * Starts the server and returns its URL.
   *
   * @throws LocationError `misconfigured` when the server listens already or cannot listen; `closed` when it was closed
   * meanwhile.
   */
  async listen(port: number, host: string): Promise<string> {
    // Node would answer both calls with the port of the first.
    if (this.#binding)
      throw new LocationError('misconfigured', 'This server is about to listen already: create another one.')
    const timesClosed = this.#timesClosed
    try {
      this.#binding = listen(this.#server, port, host)
      const url = await this.#binding
      if (timesClosed === this.#timesClosed) return url
    } finally {
      this.#binding = null
    }
    throw new LocationError('closed', 'This server was closed while it began to listen.')
  }

  /** Closes the port. A `listen` in progress is waited for: Node would listen after all. */
  async close(): Promise<void> {
    this.#timesClosed += 1
    await this.#binding?.catch(() => {})
    await closeServer(this.#server)
  }
}

/** Closes a server. Responses in progress have half a second to finish; then every connection is destroyed. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const cancels = [
    systemClock.after(50, () => server.closeIdleConnections()),
    systemClock.after(500, () => server.closeAllConnections()),
  ]
  await closed
  for (const cancel of cancels) cancel()
}

/** The addresses to put into a URL in place of the wildcard addresses, which clients cannot connect to. */
const reachableAddresses: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

function urlOf(server: Server): string {
  const { address, port } = server.address() as AddressInfo
  // An IPv4 address in its IPv6 form takes connections over IPv4, under its usual name.
  const usual = address.replace(/^::ffff:(?=\d+\.)/, '')
  const reachable = reachableAddresses[usual] ?? usual
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function adviceFor(cause: unknown, port: number, host: string): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE')
    return `Port ${port} on ${host} is taken: stop the process that uses it, or choose another port.`
  if (code === 'EACCES') return `Port ${port} may not be used by this user: choose a port above 1023.`
  return `Cannot listen on ${host}, port ${port}: choose an address of this machine and a port from 0 to 65535.`
}
