import { spawnSync } from 'node:child_process'
import { Ends } from '../ends.js'
import { freePort, redisServer, type RedisServer } from './redis-server.js'
import { until } from '../until.js'

/** A Redis cluster of three masters that share the slots. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: RedisServer[]
  /** Returns the master that has the slot of a key. */
  ownerOf(key: string): RedisServer
  /** Moves the slot of a key, with its data, to another master. */
  move(key: string): void
}

export async function redisCluster(...options: string[]): Promise<RedisCluster> {
  const ends = new Ends()
  const nodes: RedisServer[] = []
  for (let i = 0; i < 3; i++) {
    const bus = String(await freePort())
    nodes.push(ends.use(await redisServer('--cluster-enabled', 'yes', '--cluster-port', bus, ...options)))
  }
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const created = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], { encoding: 'utf8' })
  if (created.status !== 0) throw new Error(created.stdout + created.stderr)
  const isWhole = ({ cli }: RedisServer) => cli('CLUSTER', 'INFO').includes('cluster_state:ok')
  await until('the cluster is whole', () => nodes.every(isWhole))
  return {
    nodes,
    // Every other master answers EXISTS with a MOVED error.
    ownerOf: (key) => nodes.find(({ cli }) => /^\d+$/.test(cli('EXISTS', key)))!,
    move(key) {
      const slot = nodes[0]!.cli('CLUSTER', 'KEYSLOT', key)
      const from = nodes.find(({ cli }) => cli('CLUSTER', 'COUNTKEYSINSLOT', slot) !== '0')!
      const to = nodes.find((node) => node !== from)!
      const idOf = ({ cli }: RedisServer) => cli('CLUSTER', 'MYID')
      to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', idOf(from))
      from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', idOf(to))
      const keys = from.cli('CLUSTER', 'GETKEYSINSLOT', slot, '100').split('\n')
      from.cli('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys)
      for (const { cli } of [to, from, ...nodes]) cli('CLUSTER', 'SETSLOT', slot, 'NODE', idOf(to))
    },
    [Symbol.asyncDispose]: () => ends.end(),
  }
}
