import Negotiator from 'negotiator'
import type { NodeRequest, NodeResponse } from '../sink.js'

/**
 * Whether a body goes out as gzip, said in its head: when the client would rather have that, and nobody before us has said
 * what the body is. Who says nothing gets it as it is (RFC 9110 §12.5.3 leaves it open).
 */
export function agreesOnGzip({ headers }: NodeRequest, response: NodeResponse): boolean {
  varyByEncoding(response)
  const preferred = new Negotiator({ headers }).encoding(['gzip', 'identity'])
  if (preferred !== 'gzip' || response.hasHeader('content-encoding')) return false
  response.setHeader('content-encoding', 'gzip')
  return true
}

/** Says to caches that another client may get other bytes, beside what they are told already. */
function varyByEncoding(response: NodeResponse): void {
  const said = [response.getHeader('vary') ?? []].flat().join(', ')
  const names = said.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('*') || names.includes('accept-encoding')) return
  response.setHeader('vary', said ? `${said}, accept-encoding` : 'accept-encoding')
}
