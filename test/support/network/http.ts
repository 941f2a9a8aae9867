import { request } from 'node:http'

export type HttpAnswer = {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  /** The tRPC code and message of a refusal. */
  code: string | undefined
  message: string
}

export type HttpCall = { method?: string; headers?: Record<string, string>; body?: string }

/** Sends one request exactly as given. Headers are not added, and redirects are not followed. */
export function http(url: string, { method = 'GET', headers = {}, body }: HttpCall = {}): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const { message = '', data } = errorIn(text)
        resolve({ status: response.statusCode!, headers: response.headers, text, code: data?.code, message })
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const json = { 'content-type': 'application/json' }

/** @param input the input of the procedure, or its JSON text. */
export function mutation(url: string, procedure: string, input: unknown, headers: Record<string, string> = {}) {
  const body = typeof input === 'string' ? input : JSON.stringify(input)
  return http(`${url}/${procedure}`, { method: 'POST', headers: { ...json, ...headers }, body })
}

export function query(url: string, procedure: string, input: unknown, headers: Record<string, string> = {}) {
  const text = typeof input === 'string' ? input : JSON.stringify(input)
  return http(`${url}/${procedure}?input=${encodeURIComponent(text)}`, { headers })
}

/** Returns `result.data` of a successful answer. Throws for any other status. */
export function dataOf<T>({ status, text }: HttpAnswer): T {
  if (status !== 200) throw new Error(`Refused with ${status}: ${text}`)
  return (JSON.parse(text) as { result: { data: T } }).result.data
}

type TrpcError = { message?: string; data?: { code?: string } }

function errorIn(text: string): TrpcError {
  try {
    const answer = JSON.parse(text) as { error?: TrpcError } | { error?: TrpcError }[]
    return (Array.isArray(answer) ? answer.find(({ error }) => error) : answer)?.error ?? {}
  } catch {
    return {}
  }
}
