import { IncomingMessage } from 'node:http'
import { TRPCError, type AnyTRPCProcedure, type AnyTRPCRouter } from '@trpc/server'
import type { TRPCRequestInfo } from '@trpc/server/http'
import type { LazyAbort } from './lazy-abort.js'
import { readTarget } from './guard/request-target.js'
import type { NodeRequest } from './sink.js'

/*
 * Reads one plain call of a location procedure directly from a Node request. tRPC's adapter builds a Fetch Request, a
 * Response and the streams between them, which at 2,000 posts a second costs more than everything else together. Only
 * plain calls are read here, and only where the result is the same; all other requests are left to tRPC.
 */

export type Call = {
  path: string
  type: 'mutation' | 'query' | 'subscription'
  procedure: AnyTRPCProcedure
  searchParams: URLSearchParams
}

/** One empty object for all posts: they have no query string, and there are thousands of posts a second. */
const noSearchParams = new URLSearchParams()

/**
 * Returns the call that a request makes. Returns null when the request is not a plain call, for example when it is a
 * batch, or when its URL, host or body needs a full parser.
 */
export function plainCall(
  request: NodeRequest,
  router: AnyTRPCRouter,
  isOurs: (procedure: object) => boolean,
  isFrameQuery: (procedure: object) => boolean,
): Call | null {
  const { method, headers, url = '' } = request
  if (headers['trpc-accept'] !== undefined || headers.accept?.includes('application/jsonl')) return null
  if (!plainUrl.test(url) || !isPlainHost(hostOf(request))) return null
  const queryAt = url.indexOf('?')
  const path = procedurePathOf(readTarget(url).segment, router)
  const procedures = router._def.procedures as Record<string, AnyTRPCProcedure>
  const procedure = Object.hasOwn(procedures, path) ? procedures[path]! : null
  if (!procedure || !isOurs(procedure)) return null
  const searchParams = queryAt === -1 ? noSearchParams : new URLSearchParams(url.slice(queryAt))
  if (searchParams.has('batch') || searchParams.has('connectionParams')) return null
  const { type } = procedure._def
  const contentType = headers['content-type']
  const isRead = type === 'subscription' || (type === 'query' && isFrameQuery(procedure))
  if (method === 'GET' && isRead && (contentType === undefined || isJson(contentType)))
    return { path, type, procedure, searchParams }
  if (method === 'POST' && type === 'mutation' && contentType !== undefined && isJson(contentType) && hasBody(request))
    return { path, type, procedure, searchParams }
  return null
}

/** Returns the path of a procedure in its router, given the last segment of a URL. */
export function procedurePathOf(segment: string, router: AnyTRPCRouter): string {
  // Before 11.23, tRPC has only the separator `.`, and no `pathSeparator`.
  const { pathSeparator } = router._def._config as { pathSeparator?: string }
  return pathSeparator === undefined || pathSeparator === '.' ? segment : segment.split(pathSeparator).join('.')
}

/** The input of a call. It is read at most once, and `getRawInput` throws the error of an invalid input, as in tRPC. */
export type CallInput = {
  getRawInput(): Promise<unknown>
  /** Returns the input if it was read, for error reports. */
  result(): unknown
  /** Returns true if `getRawInput` was called. */
  wasRead(): boolean
  /**
   * Returns the text of the request's body if `getRawInput` has read it. A body can be read only once, so tRPC needs
   * this text.
   */
  text(): string | undefined
}

export function inputOf(
  { type, searchParams }: Call,
  request: NodeRequest,
  router: AnyTRPCRouter,
  maxBytes: number | undefined,
): CallInput {
  let reading: Promise<unknown> | undefined
  let value: unknown
  let body: string | undefined
  const read = async () => {
    const text =
      type !== 'mutation' ? searchParams.get('input') : await readBody(request, maxBytes, (all) => (body = all))
    try {
      return (value = text ? router._def._config.transformer.input.deserialize(JSON.parse(text)) : undefined)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : 'Invalid input'
      throw cause instanceof TRPCError ? cause : new TRPCError({ code: 'BAD_REQUEST', message, cause })
    }
  }
  return {
    async getRawInput() {
      const input = await (reading ??= read())
      if (type !== 'subscription') return input
      // EventSource sends the id of the last event as a header (HTML §9.2.3). Clients that cannot set headers put the
      // id into the URL.
      const lastEventId =
        request.headers['last-event-id'] ?? searchParams.get('lastEventId') ?? searchParams.get('Last-Event-Id')
      if (!lastEventId) return input
      if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input, lastEventId }
      return input ?? { lastEventId }
    },
    result: () => value,
    wasRead: () => reading !== undefined,
    text: () => body,
  }
}

/** Returns the request info that `createContext` receives from tRPC. */
export function infoOf(
  { path, type, procedure }: Call,
  request: NodeRequest,
  input: CallInput,
  disconnect: LazyAbort,
): TRPCRequestInfo {
  const { getRawInput, result } = input
  return {
    accept: null,
    type,
    isBatchCall: false,
    calls: [{ batchIndex: 0, path, procedure, getRawInput, result }],
    connectionParams: null,
    get signal() {
      return disconnect.signal
    },
    // A getter, because few apps use the URL and parsing it costs as much as reading the call.
    get url() {
      const isSecure = request.socket !== undefined && 'encrypted' in request.socket
      return new URL(request.url ?? '', `${isSecure ? 'https' : 'http'}://${hostOf(request)}`)
    },
  }
}

/**
 * Returns the body as text: the body that an earlier middleware has parsed, or else the body read from the request.
 *
 * @param onRead called with the text that was read from the request; with '' when the body is too large or breaks off.
 */
function readBody(request: NodeRequest, maxBytes: number | undefined, onRead: (text: string) => void): Promise<string> {
  const { body } = request
  if (body !== undefined) return Promise.resolve(typeof body === 'string' ? body : JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const receive = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (maxBytes && bytes > maxBytes) settle('', () => reject(new TRPCError({ code: 'PAYLOAD_TOO_LARGE' })))
    }
    const finish = () => {
      // Encoding standard, "UTF-8 decode": a byte order mark is not part of the text.
      const text = Buffer.concat(chunks)
        .toString()
        .replace(/^\ufeff/, '')
      settle(text, () => resolve(text))
    }
    const abandon = () => settle('', () => reject(new TRPCError({ code: 'CLIENT_CLOSED_REQUEST' })))
    const settle = (text: string, done: () => void) => {
      request.off('data', receive).off('end', finish).off('close', abandon)
      onRead(text)
      done()
    }
    if (request.destroyed) return abandon()
    request.on('data', receive).on('end', finish).on('close', abandon)
  })
}

const isJson = (contentType: string) => contentType.split(';', 1)[0]!.trim().toLowerCase() === 'application/json'
/**
 * True if an earlier middleware has parsed a body, or if one will be received. Empty bodies, and streams in place of a
 * body, are left to tRPC.
 */
const hasBody = ({ body, readableEnded, headers }: NodeRequest) =>
  body === undefined
    ? !readableEnded && Number(headers['content-length']) > 0
    : body !== '' && !(body instanceof IncomingMessage)

/**
 * Matches a path that the URL standard reads unchanged: no authority, no fragment, no backslash, and only ASCII, since
 * URL and URLSearchParams decode other characters differently.
 */
const plainUrl = /^\/(?![/\\])[!-"$-[\]-~]*$/

// RFC 9113 §8.3.1: HTTP/2 sends the host as `:authority`.
const hostOf = ({ headers }: NodeRequest) =>
  headers.host ?? (headers[':authority'] as string | undefined) ?? 'localhost'

/**
 * True if a Host header is a plain name or address. The URL parser rejects ports and numbers that are too large, which
 * the pattern would accept.
 */
function isPlainHost(host: string): boolean {
  // Most servers are called by one name: the last valid host is cached.
  if (host === lastPlainHost) return true
  if (!/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host) || !URL.canParse(`http://${host}`)) return false
  lastPlainHost = host
  return true
}
let lastPlainHost: string | undefined
