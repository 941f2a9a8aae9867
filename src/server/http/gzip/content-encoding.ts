import Negotiator from 'negotiator'
import type { NodeRequest, NodeResponse } from '../sink.js'
import { withField } from '../guard/kept-headers.js'

/**
 * Decides whether a body is sent as gzip, and sets `Vary` and `Content-Encoding` accordingly. The body is compressed
 * when the client prefers gzip and no earlier handler has set a `Content-Encoding`. A client that sends no
 * `Accept-Encoding` gets the body uncompressed (RFC 9110 §12.5.3 allows either).
 */
export function negotiateGzip({ headers }: NodeRequest, response: NodeResponse): boolean {
  // `Vary` keeps caches from giving the bytes that one client got to a client that asks for another encoding.
  response.setHeader('vary', withField(response.getHeader('vary'), 'accept-encoding'))
  const preferred = new Negotiator({ headers }).encoding(['gzip', 'identity'])
  if (preferred !== 'gzip' || response.hasHeader('content-encoding')) return false
  response.setHeader('content-encoding', 'gzip')
  return true
}
