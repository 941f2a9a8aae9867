import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import specs from '@asyncapi/specs'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { cellLocation, memberProfile } from 'hereabouts'
import type { CountMembersOutput, GetLocationsOutput, LeaveRoomOutput, PostLocationOutput } from 'hereabouts'
import { locationContract, serveLocations } from 'hereabouts/testing'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type * as z from 'zod'
import type { procedureOutputs } from '../../src/shared/wire-schemas.js'
import { cells, fastTiming, features, targetTiming } from '../contract/target.js'
import { built } from '../support/built.js'
import { faultProxy, type Call } from '../support/network/fault-proxy.js'
import { root } from '../support/snippets.js'
import type { CellTypes } from '../support/cell-types.js'

/* docs/contract describes the wire for languages without zod. It is checked against the schemas and against real traffic. */

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null
const read = (name: string) =>
  JSON.parse(readFileSync(join(root, 'docs/contract', name), 'utf8')) as { [key: string]: Json }

test('the files in docs/contract are up to date with the schemas', { timeout: 60_000 }, () => {
  built('package')
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/contract.mjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  })
  expect(status, stdout + stderr).toBe(0)
})

test('the output schemas of the procedures have the exported output types', () => {
  type Outputs = ReturnType<typeof procedureOutputs<typeof cellLocation, typeof memberProfile>>
  type Out<K extends keyof Outputs> = z.output<Outputs[K]>
  expectTypeOf<Out<'postLocation'>>().toExtend<PostLocationOutput>()
  expectTypeOf<PostLocationOutput>().toExtend<Out<'postLocation'>>()
  expectTypeOf<Out<'getLocations'>>().toExtend<GetLocationsOutput<CellTypes>>()
  expectTypeOf<Out<'leaveRoom'>>().toEqualTypeOf<LeaveRoomOutput>()
  expectTypeOf<Out<'countMembers'>>().toEqualTypeOf<CountMembersOutput>()
})

describe('asyncapi.json', () => {
  const document = read('asyncapi.json')
  // The official schema of the specification, from the official package.
  // It includes draft 7, which ajv already has.
  const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false })
  addFormats.default(ajv)
  const isAsyncApi = ajv.compile(specs.schemas['3.0.0'])

  test('asyncapi.json is valid AsyncAPI 3', () => {
    isAsyncApi(document)
    expect(isAsyncApi.errors).toBeNull()
  })

  test('asyncapi.json is rejected by the validator when a mistake is put into it', () => {
    const { operations, ...rest } = document
    expect(isAsyncApi({ ...rest, operations: { post: { action: 'shout' } } })).toBe(false)
    expect(isAsyncApi({ ...rest, operations, channels: { a: { address: 7 } } })).toBe(false)
  })

  test('asyncapi.json has no dangling reference', () => {
    const dangling = refsIn(document).filter((ref) => at(document, ref) === undefined)
    expect(dangling).toEqual([])
  })
})

describe('schema.json', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true })
  addFormats.default(ajv)
  ajv.addSchema(read('schema.json'), 'contract')
  const says = (what: string, value: unknown) => {
    const validate = ajv.getSchema(`contract#/definitions/${what}`) as ValidateFunction
    return validate(value) ? null : { value, errors: validate.errors }
  }

  test(
    'schema.json accepts every input that the server accepts and describes every output',
    { timeout: 60_000 },
    async () => {
      await using server = await serveLocations({ timing: { ...fastTiming, drainMs: 10 }, ...features })
      const wrong: object[] = []
      const seen = new Set<string>()
      const check = (what: string, value: unknown) => {
        seen.add(what)
        const complaint = says(what, value)
        if (complaint) wrong.push({ what, ...complaint })
      }
      await using proxy = await faultProxy(server.url, {
        async call(call, pass) {
          const reply = await pass(call)
          if (reply.status !== 200) return reply
          check(`${call.procedure}.input`, inputOf(call))
          check(`${call.procedure}.output`, (JSON.parse(reply.body) as { result: { data: unknown } }).result.data)
          return reply
        },
        event(text) {
          const [, data] = /^data: (.*)\nid: /m.exec(text) ?? []
          if (data === undefined || text.includes('event: ')) return text
          const event = JSON.parse(data) as { type: string }
          check('event', event)
          check(`event.${event.type}`, event)
          return text
        },
      })
      const target = { url: proxy.url, ...cells, timing: targetTiming }
      // Failures are ignored: the contract only produces traffic here. test/contract runs it for its results.
      await Promise.allSettled(locationContract(target).map(({ run }) => run()))
      const last = await fetch(`${proxy.url}/onLocation?input=${encodeURIComponent('{"room":"last"}')}`)
      await Promise.all([last.text(), server.hub.drain()])
      expect(wrong).toEqual([])
      const sent = ['hello', 'snapshot', 'changes', 'beat', 'broadcast', 'bye'].map((type) => `event.${type}`)
      const locks = ['lockLocation', 'unlockLocation']
      const calls = ['postLocation', 'leaveRoom', 'getLocations', 'countMembers', 'broadcastToRoom', ...locks]
      expect(seen).toEqual(new Set(['event', ...sent, ...calls.flatMap((name) => [`${name}.input`, `${name}.output`])]))
    },
  )

  test('schema.json rejects invalid inputs of postLocation and onLocation, as the server does', () => {
    const post = { room: 'sheet-42', location: { sheet: 'Q3', row: 4, col: 2 } }
    expect(says('postLocation.input', post)).toBeNull()
    expect(says('postLocation.input', { ...post, location: null })).toBeNull()
    for (const bad of [
      { location: { sheet: 'Q3', row: -1, col: 2 } },
      { memberId: 'eve' },
      { room: '' },
      { room: 'a\nb' },
    ])
      expect(says('postLocation.input', { ...post, ...bad }), JSON.stringify(bad)).not.toBeNull()
    expect(says('onLocation.input', { room: 'sheet-42', connectionKey: 'short' })).not.toBeNull()
  })
})

function inputOf({ path, body }: Call): unknown {
  const query = new URL(path, 'http://localhost').searchParams.get('input')
  return JSON.parse(query ?? body) as unknown
}

function refsIn(value: Json): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = !Array.isArray(value) && typeof value['$ref'] === 'string' ? [value['$ref']] : []
  return [...own, ...Object.values(value).flatMap(refsIn)]
}

/** Resolves a JSON pointer within the document. */
function at(document: Json, ref: string): Json | undefined {
  return ref
    .replace('#/', '')
    .split('/')
    .reduce<Json | undefined>((value, key) => (value as Record<string, Json> | undefined)?.[key], document)
}
