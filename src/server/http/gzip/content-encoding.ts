import Negotiator from 'negotiator'
import type { NodeRequest, NodeResponse } from '../sink.js'
import { withField } from '../guard/kept-headers.js'

/**
 * Decides whether a body is sent as gzip, and sets `Vary` and `Content-Encoding` accordingly. It is when the client prefers
 * gzip and no handler before this one has set a `Content-Encoding`. A client that sends no `Accept-Encoding` gets the
 * body uncompressed (RFC 9110 §12.5.3 allows either).
 */
export function negotiateGzip({ headers }: NodeRequest, response: NodeResponse): boolean {
  // Caches must not give the bytes that one client got to a client with another encoding.
  response.setHeader('vary', withField(response.getHeader('vary'), 'accept-encoding'))
  const preferred = new Negotiator({ headers }).encoding(['gzip', 'identity'])
  if (preferred !== 'gzip' || response.hasHeader('content-encoding')) return false
  response.setHeader('content-encoding', 'gzip')
  return true
}
