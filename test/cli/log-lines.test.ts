import { expect, test } from 'vitest'
import { loggerOf } from '../../src/cli/log-lines.js'

const lines = () => {
  const said: { details: object; text: string | null }[] = []
  const logger = loggerOf({
    time: () => '12:00:00',
    say: (_type, details, text) => said.push({ details, text }),
  })
  return { logger, said }
}

test('a log line of `serve` carries the details of the message: as fields for programs, in brackets for people', () => {
  const { logger, said } = lines()
  logger.warn('a call was refused', { call: 'postLocation', code: 'bad-input' })
  expect(said).toEqual([
    {
      details: { level: 'warn', message: 'a call was refused', call: 'postLocation', code: 'bad-input' },
      text: '12:00:00  a call was refused (call: postLocation, code: bad-input)',
    },
  ])
})

test('a log line of `serve` names the cause when the details hold an error, and has no brackets without other details', () => {
  const { logger, said } = lines()
  logger.error('identify() threw', { error: new Error('no session') })
  expect(said).toEqual([
    {
      details: { level: 'error', message: 'identify() threw: no session' },
      text: '12:00:00  identify() threw: no session',
    },
  ])
})
