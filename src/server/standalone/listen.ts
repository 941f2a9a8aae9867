import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../shared/clock.js'
import { LocationError } from '../../shared/errors.js'

/** @returns where it listens. @throws LocationError `misconfigured` when it cannot. */
export async function listen(server: Server, port: number, host: string): Promise<string> {
  // Asked for again, Node says so only by a code.
  if (server.listening)
    throw new LocationError('misconfigured', `This server listens already, at ${urlOf(server)}: make another one.`)
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

/** Answers that are under way have a moment to be finished; then every connection is cut. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const callOffs = [
    systemClock.after(50, () => server.closeIdleConnections()),
    systemClock.after(500, () => server.closeAllConnections()),
  ]
  await closed
  for (const callOff of callOffs) callOff()
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

function adviceFor(cause: unknown, port: number, host: string): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE') return `Port ${port} on ${host} is taken: stop what uses it, or choose another port.`
  if (code === 'EACCES') return `Port ${port} may not be used by this user: choose one above 1023.`
  return `Cannot listen on ${host}, port ${port}: choose an address of this machine and a port from 0 to 65535.`
}
