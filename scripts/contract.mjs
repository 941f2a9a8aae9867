// npm run contract: writes docs/contract/ from the server's schemas. --check: names the stale files and fails.
//
//   schema.json     JSON Schema of every input, output and event
//   asyncapi.json   AsyncAPI 3: the same, with channels and operations
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'
import * as z from 'zod'
import { cellLocation, memberProfile } from '../dist/shared/locations.js'
import { anyPayload, broadcastInput, broadcastOutput } from '../dist/shared/broadcast-schemas.js'
import { procedureInputs, procedureOutputs } from '../dist/shared/wire-schemas.js'

const folder = fileURLToPath(new URL('../docs/contract/', import.meta.url))

/** @param {string} base the prefix of references, such as `#/definitions` */
function definitions(base) {
  const registry = z.registry()
  const add = (id, schema) => registry.add(schema, { id })
  add('location', cellLocation)
  add('profile', memberProfile)
  add('json', anyPayload)
  // Any presence value is allowed, as by `npx hereabouts serve`.
  const presence = z.record(z.string(), anyPayload)
  add('presence', presence)
  const [inputs, outputs] = [procedureInputs, procedureOutputs].map((make) =>
    make({ location: cellLocation, profile: memberProfile, presence }),
  )
  inputs.broadcastToRoom = broadcastInput()
  outputs.broadcastToRoom = broadcastOutput
  for (const event of outputs.onLocation.options) add(`event.${event.shape.type.value}`, event)
  add('event', outputs.onLocation)
  // The event is the union of onLocation, so that the JSON Schema refers to it.
  outputs.getLocations = outputs.getLocations.extend({ event: outputs.onLocation })
  for (const [name, input] of Object.entries(inputs)) add(`${name}.input`, input)
  for (const [name, output] of Object.entries(outputs)) if (name !== 'onLocation') add(`${name}.output`, output)
  // With `io: 'input'`, objects may have further properties, so that the protocol can be extended. The target is draft
  // 7, which AsyncAPI uses.
  const options = { io: 'input', target: 'draft-7', uri: (id) => `${base}/${id}` }
  const { schemas } = z.toJSONSchema(registry, options)
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $id: _id, $schema: _dialect, ...schema }]) => [id, schema]),
  )
}

const about =
  'Written by npm run contract for a server whose locations are cells of a sheet, like that of npx hereabouts serve. Your server has its own schema in place of "location". docs/PROTOCOL.md explains all of this.'

const jsonSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Hereabouts, protocol 1',
  description: about,
  definitions: definitions('#/definitions'),
}

const mutations = ['postLocation', 'leaveRoom', 'lockLocation', 'unlockLocation', 'broadcastToRoom']
const queries = ['getLocations', 'countMembers']
const schemas = definitions('#/components/schemas')
const events = Object.keys(schemas).filter((id) => id.startsWith('event.'))
const bare = (event) => event.replace('event.', '')
const ref = (...path) => ({ $ref: `#/${path.join('/')}` })
const inputInQuery = (procedure) => ({
  type: 'object',
  required: ['input'],
  properties: {
    input: {
      type: 'string',
      contentMediaType: 'application/json',
      description: `${procedure}.input as JSON, percent-encoded.`,
    },
  },
})
const http = (method, query) => ({ http: { method, ...(query && { query }), bindingVersion: '0.3.0' } })
const refusal = {
  type: 'object',
  required: ['message', 'code', 'data'],
  properties: {
    message: {
      type: 'string',
      description: 'An error code of docs/PROTOCOL.md, a colon, and a sentence that says what to do.',
    },
    code: { type: 'integer' },
    data: {
      type: 'object',
      required: ['code', 'httpStatus'],
      properties: { code: { type: 'string' }, httpStatus: { type: 'integer' }, path: { type: 'string' } },
    },
  },
}
const wrapped = (property, schema) => ({ type: 'object', required: [property], properties: { [property]: schema } })

const calls = [...mutations, ...queries]
const asyncapi = {
  asyncapi: '3.0.0',
  info: {
    title: 'Hereabouts',
    version: '1',
    description: `Who is where, right now: posts by HTTP, updates by Server-Sent Events. ${about}`,
    license: { name: 'MIT' },
  },
  defaultContentType: 'application/json',
  servers: {
    local: { host: 'localhost:3000', pathname: '/trpc', protocol: 'http', description: 'npx hereabouts serve' },
  },
  channels: {
    onLocation: {
      address: '/onLocation',
      title: 'The stream of a room',
      description:
        'text/event-stream. Each event is the data of one message; to resume, send its id as the header last-event-id.',
      messages: {
        ...Object.fromEntries(events.map((event) => [bare(event), ref('components', 'messages', bare(event))])),
        refused: ref('components', 'messages', 'refused'),
      },
    },
    ...Object.fromEntries(
      calls.map((name) => [
        name,
        {
          address: `/${name}`,
          messages: {
            input: ref('components', 'messages', `${name}.input`),
            output: ref('components', 'messages', `${name}.output`),
            error: ref('components', 'messages', 'error'),
          },
        },
      ]),
    ),
  },
  operations: {
    onLocation: {
      action: 'send',
      channel: ref('channels', 'onLocation'),
      summary:
        'Streams who is where: hello, a snapshot or the changes since the given id, then every change, and heartbeats.',
      bindings: http('GET', inputInQuery('onLocation')),
      messages: [...events.map(bare), 'refused'].map((name) => ref('channels', 'onLocation', 'messages', name)),
    },
    ...Object.fromEntries(
      calls.map((name) => [
        name,
        {
          action: 'receive',
          channel: ref('channels', name),
          bindings: mutations.includes(name) ? http('POST') : http('GET', inputInQuery(name)),
          messages: [ref('channels', name, 'messages', 'input')],
          reply: {
            channel: ref('channels', name),
            messages: ['output', 'error'].map((message) => ref('channels', name, 'messages', message)),
          },
        },
      ]),
    ),
  },
  components: {
    messages: {
      ...Object.fromEntries(
        events.map((event) => [
          bare(event),
          {
            name: bare(event),
            payload: ref('components', 'schemas', event),
            headers: {
              type: 'object',
              required: ['id'],
              properties: {
                id: { type: 'string', pattern: '^[\\w-]{11}\\.\\d+$', description: 'The id of the SSE message.' },
              },
            },
          },
        ]),
      ),
      refused: {
        name: 'serialized-error',
        summary: 'The last message of a stream that was refused; the status is 200 nevertheless.',
        payload: ref('components', 'schemas', 'refusal'),
      },
      error: { name: 'error', payload: wrapped('error', ref('components', 'schemas', 'refusal')) },
      ...Object.fromEntries(
        calls.flatMap((name) => [
          [`${name}.input`, { name: `${name}.input`, payload: ref('components', 'schemas', `${name}.input`) }],
          [
            `${name}.output`,
            {
              name: `${name}.output`,
              payload: wrapped('result', wrapped('data', ref('components', 'schemas', `${name}.output`))),
            },
          ],
        ]),
      ),
    },
    schemas: { ...schemas, refusal },
  },
}

const stale = []
mkdirSync(folder, { recursive: true })
for (const [name, document] of Object.entries({ 'schema.json': jsonSchema, 'asyncapi.json': asyncapi })) {
  const text = await format(JSON.stringify(document), { parser: 'json', printWidth: 120 })
  if (readOrNothing(folder + name) === text) continue
  stale.push(`docs/contract/${name}`)
  if (!process.argv.includes('--check')) writeFileSync(folder + name, text)
}
if (stale.length > 0)
  console.log(`${process.argv.includes('--check') ? 'stale, run npm run contract' : 'written'}: ${stale.join(', ')}`)
if (stale.length > 0 && process.argv.includes('--check')) process.exitCode = 1

function readOrNothing(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
