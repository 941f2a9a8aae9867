import { IncomingMessage } from 'node:http'
import { TRPCError, type AnyTRPCProcedure, type AnyTRPCRouter } from '@trpc/server'
import type { TRPCRequestInfo } from '@trpc/server/http'
import type { HangUp } from './lazy-abort.js'
import type { NodeRequest } from './sink.js'

/*
 * One plain call of one of our procedures, read straight from a Node request. tRPC's own way builds a Fetch Request, a
 * Response and the streams between them, which at 2,000 posts a second costs more than all else together. Only the plain
 * case is read here, and only where the result is the same; anything else goes tRPC's way.
 */

export type Call = {
  path: string
  type: 'mutation' | 'subscription'
  procedure: AnyTRPCProcedure
  searchParams: URLSearchParams
}

/** A post asks no question, and there are thousands of them each second. */
const none = new URLSearchParams()

/** The call that a request makes, or `null` when it is not plain: batched, overridden, encoded, or in need of a reader. */
export function plainCall(
  request: NodeRequest,
  router: AnyTRPCRouter,
  isOurs: (procedure: object) => boolean,
): Call | null {
  const { method, headers, url = '' } = request
  if (headers['trpc-accept'] !== undefined || headers.accept?.includes('application/jsonl')) return null
  if (!plainUrl.test(url) || !isPlainHost(hostOf(request))) return null
  const question = url.indexOf('?')
  const pathname = question === -1 ? url : url.slice(0, question)
  const segment = pathname.slice(pathname.lastIndexOf('/') + 1)
  const path = pathOf(segment, router)
  const procedures = router._def.procedures as Record<string, AnyTRPCProcedure>
  const procedure = Object.hasOwn(procedures, path) ? procedures[path]! : null
  if (!procedure || !isOurs(procedure)) return null
  const searchParams = question === -1 ? none : new URLSearchParams(url.slice(question))
  if (searchParams.has('batch') || searchParams.has('connectionParams')) return null
  const { type } = procedure._def
  const contentType = headers['content-type']
  if (method === 'GET' && type === 'subscription' && (contentType === undefined || isJson(contentType)))
    return { path, type, procedure, searchParams }
  if (method === 'POST' && type === 'mutation' && contentType !== undefined && isJson(contentType) && hasBody(request))
    return { path, type, procedure, searchParams }
  return null
}

/** A procedure's path as routers keep it, from how an address says it. */
export function pathOf(segment: string, router: AnyTRPCRouter): string {
  // Before 11.23 tRPC has one separator, and does not name it.
  const { pathSeparator } = router._def._config as { pathSeparator?: string }
  return pathSeparator === undefined || pathSeparator === '.' ? segment : segment.split(pathSeparator).join('.')
}

/** The input of a call, as tRPC reads it: once, and what is wrong with it is thrown where it is asked for. */
export type CallInput = {
  getRawInput(): Promise<unknown>
  /** What was read, for whoever reports an error. */
  result(): unknown
  /** Whether anyone asked for it. */
  wasRead(): boolean
  /** What came as the body, if it was read here: nobody can read it again. */
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
      type === 'subscription' ? searchParams.get('input') : await bodyOf(request, maxBytes, (all) => (body = all))
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
      // HTML §9.2.3 sends the id as a header; whoever cannot set headers puts it into the address.
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

/** What a context is told of the request, as tRPC tells it. */
export function infoOf(
  { path, type, procedure }: Call,
  request: NodeRequest,
  input: CallInput,
  hangUp: HangUp,
): TRPCRequestInfo {
  const { getRawInput, result } = input
  return {
    accept: null,
    type,
    isBatchCall: false,
    calls: [{ batchIndex: 0, path, procedure, getRawInput, result }],
    connectionParams: null,
    get signal() {
      return hangUp.signal
    },
    // Few look at it, and making one costs as much as reading the call.
    get url() {
      const isSecure = request.socket !== undefined && 'encrypted' in request.socket
      return new URL(request.url ?? '', `${isSecure ? 'https' : 'http'}://${hostOf(request)}`)
    },
  }
}

/**
 * The body as text: what a middleware made of it before, or what comes.
 *
 * @param onRead told what was taken from the request, also when it is too much or breaks off: nothing then.
 */
function bodyOf(request: NodeRequest, maxBytes: number | undefined, onRead: (text: string) => void): Promise<string> {
  const { body } = request
  if (body !== undefined) return Promise.resolve(typeof body === 'string' ? body : JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const take = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (maxBytes && bytes > maxBytes) settle('', () => reject(new TRPCError({ code: 'PAYLOAD_TOO_LARGE' })))
    }
    const finish = () => {
      // Encoding standard, "UTF-8 decode": a byte order mark is none of the text.
      const text = Buffer.concat(chunks)
        .toString()
        .replace(/^\ufeff/, '')
      settle(text, () => resolve(text))
    }
    const abandon = () => settle('', () => reject(new TRPCError({ code: 'CLIENT_CLOSED_REQUEST' })))
    const settle = (text: string, done: () => void) => {
      request.off('data', take).off('end', finish).off('close', abandon)
      onRead(text)
      done()
    }
    if (request.destroyed) return abandon()
    request.on('data', take).on('end', finish).on('close', abandon)
  })
}

const isJson = (contentType: string) => contentType.split(';', 1)[0]!.trim().toLowerCase() === 'application/json'
/** One that is here, or will come: what an empty one means, tRPC knows, and what to do with a stream in its place. */
const hasBody = ({ body, readableEnded, headers }: NodeRequest) =>
  body === undefined
    ? !readableEnded && Number(headers['content-length']) > 0
    : body !== '' && !(body instanceof IncomingMessage)

/**
 * A path of this server's, with nothing in it that the URL standard reads as anything else: no authority, no fragment, no
 * backslash, and nothing beyond ASCII, which URL and URLSearchParams decode differently.
 */
const plainUrl = /^\/(?![/\\])[!-"$-[\]-~]*$/

// RFC 9113 §8.3.1: HTTP/2 says it in a field of its own.
const hostOf = ({ headers }: NodeRequest) =>
  headers.host ?? (headers[':authority'] as string | undefined) ?? 'localhost'

/** The syntax alone would let through ports and numbers that are too large. */
function isPlainHost(host: string): boolean {
  // A server is asked by one name, as a rule.
  if (host === plainHost) return true
  if (!/^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host) || !URL.canParse(`http://${host}`)) return false
  plainHost = host
  return true
}
let plainHost: string | undefined
