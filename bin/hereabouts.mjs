#!/usr/bin/env node
// The entry of the command line: it passes the system clock to main, and exits with the code that main returns.
const [{ main }, { systemClock }] = await Promise.all([
  import('../dist/cli/main.js'),
  import('../dist/shared/clock.js'),
]).catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  const isOurs = error.message.includes('/dist/')
  console.error(`error: ${isOurs ? 'This copy is not built: run `npm run build`.' : error.message}`)
  process.exit(1)
})

process.exit(await main(process.argv.slice(2), systemClock))
