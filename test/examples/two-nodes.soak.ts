import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { setTimeout as passing } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aclLine } from '../../src/server/backends/redis/requirements.js'
import { built } from '../support/built.js'
import { Crowd } from '../support/redis/crowd.js'
import { Ends } from '../support/ends.js'
import { sharedNodes } from '../support/redis/nodes.js'
import { freePorts, redisServer, skipWithoutRedis } from '../support/redis/redis-server.js'
import { nginxBefore, nginxConf as conf, skipWithoutNginx } from '../support/network/nginx.js'
import { until } from '../support/until.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const deploying = readFileSync(join(root, 'docs/deploying.md'), 'utf8')

describe.skipIf(skipWithoutRedis || skipWithoutNginx)('npm run demo:two-nodes', { timeout: 60_000 }, () => {
  let demo: ChildProcess
  let said = ''
  let port: number
  beforeAll(async () => {
    built('package', 'demo')
    port = await freePorts(4)
    demo = spawn(process.execPath, ['examples/two-nodes/demo.mjs'], {
      cwd: root,
      env: { ...process.env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [demo.stdout!, demo.stderr!]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await until('the demo is there', () => said.includes('Two servers, one sheet'), 40_000).catch((error: Error) => {
      throw new Error(`${error.message}:\n${said}`)
    })
  }, 120_000)
  afterAll(async () => {
    demo.kill('SIGTERM')
    await until('the demo has ended', () => demo.exitCode !== null || demo.signalCode !== null)
  }, 20_000)

  test('when one of two nodes is killed behind nginx, no member is shown to leave and a new node starts', async () => {
    const urls = Array.from({ length: 8 }, () => `http://127.0.0.1:${port}/trpc`)
    await using crowd = await Crowd.gather(urls, 'demo')
    await crowd.stroll(1_000, 100)
    const pid = Number(/pid (\d+)/.exec(said)![1])
    process.kill(pid, 'SIGKILL')
    await crowd.stroll(2_000, 100)
    const agreedMs = await crowd.agree('all clients agree again', 30_000)
    console.log(`a node killed behind nginx: ${JSON.stringify({ agreedMs, left: crowd.left })}`)
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
    await until('another node starts', () => said.match(/pid \d+/g)!.length === 3, 10_000)
  })
})

describe.skipIf(skipWithoutRedis || skipWithoutNginx)('nginx in front', { timeout: 60_000 }, () => {
  const ends = new Ends()
  let nodes: { url: string }[]
  beforeAll(async () => {
    const redis = ends.use(await redisServer())
    const both = await sharedNodes(redis.url, 2, { timing: { scale: 1 / 5 } })
    nodes = both.map((node) => ends.use(node))
  })
  afterAll(() => ends.end())

  const nginx = (change?: (text: string) => string) => nginxBefore(nodes, change)
  const strollThrough = async (url: string, room: string, meanwhile = async () => {}) => {
    await using crowd = await Crowd.gather(
      Array.from({ length: 6 }, () => url),
      room,
    )
    await Promise.all([crowd.stroll(1_000), meanwhile()])
    await crowd.agree()
    expect(crowd).toMatchObject({ left: 0, stepsBack: 0 })
  }

  test('clients converge behind nginx with the configuration of the example', async () => {
    await using proxy = await nginx()
    await strollThrough(proxy.url, 'as it is')
  })

  // Even if buffering is on in nginx, our streams turn it off by the header x-accel-buffering.
  test.each(['on', 'off'])('clients converge behind nginx with proxy_buffering %s', async (buffering) => {
    await using proxy = await nginx((text) =>
      text.replace('proxy_read_timeout', `proxy_buffering ${buffering};\n proxy_read_timeout`),
    )
    await strollThrough(proxy.url, `buffering ${buffering}`)
  })

  test('clients converge behind nginx that cuts a stream after one second without data', async () => {
    await using proxy = await nginx((text) => text.replace('proxy_read_timeout 60s', 'proxy_read_timeout 1s'))
    // While nobody moves, a stream has no data except for a heartbeat every two seconds.
    await strollThrough(proxy.url, 'idle', () => passing(4_000))
  })

  test('clients converge while nginx reloads its configuration', async () => {
    await using proxy = await nginx()
    await strollThrough(proxy.url, 'reload', async () => {
      await passing(300)
      proxy.reload()
    })
  })

  test('twenty streams over one HTTP/2 connection through nginx receive a post', async () => {
    await using proxy = await nginx((text) => text.replace(/listen (.*);/, 'listen $1 http2;'))
    const session = connect(`http://127.0.0.1:${proxy.port}`)
    const input = encodeURIComponent(JSON.stringify({ room: 'h2' }))
    const streams = Array.from({ length: 20 }, () =>
      session.request({ ':path': `/trpc/onLocation?input=${input}`, accept: 'text/event-stream' }),
    )
    const texts = streams.map(() => '')
    streams.forEach((stream, i) => stream.setEncoding('utf8').on('data', (text: string) => (texts[i] += text)))
    await until('twenty streams on one connection have a hello', () => texts.every((text) => text.includes('"hello"')))
    const post = session.request({
      ':path': '/trpc/postLocation',
      ':method': 'POST',
      'content-type': 'application/json',
    })
    post.end(JSON.stringify({ room: 'h2', location: { sheet: 'Q3', row: 4, col: 2 } }))
    await until('all streams receive the post', () => texts.every((text) => text.includes('"row":4')))
    session.destroy()
  })
})

test('docs/deploying.md shows the tested nginx configuration, and the Redis command that grants the permissions', () => {
  expect(deploying).toContain(`\`\`\`nginx\n${conf}\`\`\``)
  expect(deploying).toContain(aclLine('hereabouts'))
})
