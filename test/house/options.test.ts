import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync, Visitor, type ESTree } from 'vite'
import { describe, expect, test } from 'vitest'
import { tables } from '../server/options/option-table.js'
import { root } from '../support/snippets.js'

/*
 * Every option in the public types of the server has a row in the table of refused values. Rows for the members of
 * Limits and Timing are made from the defaults, which list all of them. redis-options.test.ts checks the options of
 * redisBackend.
 */

const sources: Record<keyof typeof tables, [file: string, type: string][]> = {
  createLocationHub: [['hub/hub-options', 'HubOptions']],
  createLocationServer: [
    ['hub/hub-options', 'HubOptions'],
    ['standalone/server-options', 'LocationServerOptions'],
    ['http/guard/origin-check', 'OriginOptions'],
    ['access/access-types', 'AnonymousAccess'],
    ['access/access-types', 'MemberAccess'],
  ],
  createLocationRouter: [
    ['procedures/router', 'LocationRouterOptions'],
    ['access/access-types', 'AnonymousAccess'],
    ['access/access-types', 'MemberAccess'],
  ],
  createLocationMiddleware: [
    ['http/middleware', 'LocationMiddlewareOptions'],
    ['http/guard/origin-check', 'OriginOptions'],
  ],
  createLocationWebSocketHandler: [
    ['websocket/handler', 'LocationWebSocketOptions'],
    ['http/guard/origin-check', 'OriginOptions'],
  ],
  createRequestGuard: [
    ['http/guard/request-guard', 'RequestGuardOptions'],
    ['http/guard/origin-check', 'OriginOptions'],
  ],
  prometheusMetrics: [['prometheus', 'PrometheusOptions']],
}

/** Returns the names of the properties that a type declares itself, without those of nested objects. */
function declared(file: string, type: string): string[] {
  const path = join(root, 'src/server', `${file}.ts`)
  const { program } = parseSync(path, readFileSync(path, 'utf8'))
  const names: string[] = []
  const add = (members: ESTree.TSSignature[]) => {
    for (const member of members) if ('key' in member && member.key.type === 'Identifier') names.push(member.key.name)
  }
  const visit = (body: ESTree.TSType) => {
    if (body.type === 'TSIntersectionType') body.types.forEach(visit)
    else if (body.type === 'TSTypeLiteral') add(body.members)
  }
  new Visitor({
    TSTypeAliasDeclaration: ({ id, typeAnnotation }) => id.name === type && visit(typeAnnotation),
    TSInterfaceDeclaration: ({ id, body }) => id.name === type && add(body.body),
  }).visit(program)
  return names
}

describe('the table of refused values', () => {
  test.each(Object.entries(sources))('every option of %s has a row of refused values', (name, types) => {
    const rows = new Set(tables[name as keyof typeof tables].map(([option]) => option))
    for (const [file, type] of types) {
      const names = declared(file, type)
      expect(names, `${type} in ${file}`).not.toEqual([])
      expect(names.filter((option) => !rows.has(option))).toEqual([])
    }
  })
})
