import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import type { Clock } from '../server/index.js'
import {
  header,
  httpUrl,
  integerFrom,
  json,
  jsonObject,
  key,
  list,
  locationExample,
  numberFrom,
  roomName,
} from './arguments.js'
import type { BotsCommand } from './commands/bots.js'
import type { BroadcastCommand } from './commands/broadcast.js'
import type { Output } from './output.js'
import type { PostCommand } from './commands/post.js'
import type { ServeCommand } from './commands/serve.js'
import type { WatchCommand } from './commands/watch.js'

const profileExample = '{"name":"Ada"}'

/** Options that every command may have. */
export type CommonOptions = { json?: boolean; url?: string }
type Act<T> = (command: T, output: Output, clock: Clock) => Promise<void>
/** Wraps the function of a command, so that it is called with an output and a clock. */
export type Run = <T extends object>(act: Act<T>) => (command: T) => Promise<void>

const exitCodes = `
Exit codes:
  0  done
  1  failed: the server refused
  2  usage: an option is wrong
  3  no server could be reached, or it is unavailable
  130  ended by a second Ctrl-C`

const serveExitCodes = `
Exit codes:
  0  done: all streams were drained
  1  failed, for example because the port is taken; or ended by a second Ctrl-C
  2  usage: an option is wrong`

/** Defines the commands, their options and their help. */
export function programOf(run: Run): Command {
  const program = new Command('hereabouts')
    .description('Who is where, right now: serve rooms, watch one, post and broadcast in it, fill it with bots.')
    .version(version())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${text.trim().replace(/\s*\n\s*/g, ' ')}\n`) })
    .helpOption('-h, --help', 'show this')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Try it, in three terminals:
  npx hereabouts serve
  npx hereabouts watch --room demo
  npx hereabouts bots --count 5 --room demo

\`hereabouts <command> --help\` has more examples.
${exitCodes}`,
    )

  addServe(program, run)
  addWatch(program, run)
  addPost(program, run)
  addBroadcast(program, run)
  addBots(program, run)
  return program
}

// Each command is imported when it runs, so that `watch` does not load Express.

function addServe(program: Command, run: Run): void {
  program
    .command('serve')
    .description('Serve rooms to anyone who can reach this address: no sign-in, nothing stored on disk.')
    .addOption(
      new Option('-p, --port <n>', 'the port to listen on; 0 picks a free port')
        .default(3000)
        .argParser(integerFrom(0, 65_535)),
    )
    .option('--config <file>', 'a JavaScript file: its default export are the options of createLocationServer')
    .option('--host <address>', 'the address to listen on; 0.0.0.0 means all', '127.0.0.1')
    .addOption(
      new Option('--location <kind>', 'the kind of location; any accepts the other four')
        .choices(['any', 'cell', 'range', 'point', 'text'])
        .conflicts('config')
        .default('any'),
    )
    .option('--origin <url...>', 'origins of pages that may call, such as https://app.example')
    .option('--allow-host <name...>', 'host names that this server may be called by')
    .addOption(
      // Commander's `default()` is not used: its value could not be distinguished from an option that was given, which
      // takes precedence over the file.
      new Option(
        '--drain <seconds>',
        'how long to drain open streams before the end; default 1, or timing.drainMs of the file',
      ).argParser(numberFrom(0, 600)),
    )
    .addOption(
      new Option('--metrics [port]', 'serve Prometheus metrics on a local port; default 9464')
        .preset('9464')
        .argParser(integerFrom(0, 65_535)),
    )
    .addOption(jsonOption())
    .addOption(textOption())
    .addHelpText(
      'after',
      `
Examples:
  npx hereabouts serve
  npx hereabouts serve --port 8080 --location point
  npx hereabouts serve --config hub.mjs
  npx hereabouts serve --host 0.0.0.0 --allow-host rooms.example --origin https://app.example

hub.mjs: export default { location: cellLocation, broadcasts: { wave: z.strictObject({}) }, locks: true }
Without identify in it, everybody may read and post. Options of the command line count before those of the file.

Without --config, rooms have any presence value, locks, and the broadcasts message and reaction with any payload.

JSON lines: listening (url, location, config?, anonymous, metrics?), log (level, message), draining (signal, seconds).
${serveExitCodes}`,
    )
    .action(run<ServeCommand>(async (command, output) => (await import('./commands/serve.js')).serve(command, output)))
}

function addWatch(program: Command, run: Run): void {
  inRoom(program.command('watch'))
    .description('Show the members of a room and what they do, until Ctrl-C. You are not shown in the room.')
    .option('--once', 'print the members, and exit')
    .addOption(new Option('--count <n>', 'exit after this many events').argParser(integerFrom(1, 1e9)))
    .addOption(new Option('--for <seconds>', 'exit after this long in the room').argParser(numberFrom(0, 1e6)))
    .addHelpText(
      'after',
      `
Examples:
  npx hereabouts watch --room demo
  npx hereabouts watch --room demo --once --json | jq '.members[].name'
  npx hereabouts watch --room demo --count 10 --url https://app.example/trpc --path locations \\
    --header 'authorization: Bearer abc'

JSON lines: each has type, at (when it was seen, by this machine's clock) and room.
  snapshot                     members: [{ memberId, name?, location, activity, profile, presence?, locks?, connections, changedAt }]
  entered moved updated left   memberId, name?, location, activity; entered: presence?; moved: previous;
                               updated: profile, previous; left: location null, previous, reason (left, lost, revoked)
  presence                     memberId, name?, location, activity, presence, previous
  broadcast                    broadcast (its name), payload, memberId (null: the server), name?
  locked unlocked              place, fence, memberId, name?
  status                       status (connecting, live, degraded, polling, waiting, closed); waiting: retryAt, attempt, message
  error                        code, message
${exitCodes}`,
    )
    .action(run<WatchCommand>(async (...given) => (await import('./commands/watch.js')).watch(...given)))
}

function addPost(program: Command, run: Run): void {
  inRoom(program.command('post'))
    .description('Post the location of a member: once, for each line of stdin, or with --stay until Ctrl-C.')
    .requiredOption(
      '-l, --location <json>',
      'the location; null: present without a location; -: read one from each line of stdin',
      (text) => (text === '-' ? { from: process.stdin } : { value: json(locationExample)(text) }),
    )
    .option('-n, --name <name>', "the member's name; goes into the profile")
    .addOption(new Option('--profile <json>', 'the profile that others see').argParser(jsonObject(profileExample)))
    .addOption(
      new Option('--presence <json>', 'the presence value that others see').argParser(jsonObject('{"typing":true}')),
    )
    .addOption(new Option('--activity <state>', 'the activity that others see').choices(['active', 'idle', 'away']))
    .addOption(
      new Option('--key <key>', 'the key of a connection, from an earlier post').argParser(key).conflicts('stay'),
    )
    .addOption(new Option('--member-key <key>', 'the key of the anonymous member').argParser(key).conflicts('stay'))
    .addOption(
      new Option(
        '--lease <seconds>',
        'how long the member stays present: 5 to 300, unless the server allows others; default 30',
      )
        .argParser(numberFrom(0, 1e6))
        .conflicts('stay'),
    )
    .option('--stay', 'stay present until Ctrl-C, then leave')
    .addHelpText(
      'after',
      `
Examples:
  npx hereabouts post --room demo --name Ada --location '{"sheet":"Q3","row":4,"col":2}'
  npx hereabouts post --room demo --name Ada --location '{"sheet":"Q3","row":4,"col":2}' --stay
  npx hereabouts post --room demo --name Ada --location null --presence '{"typing":true}'
  jq -c '{x: .lon, y: .lat}' track.ndjson | npx hereabouts post --room map --location -

JSON lines: posted (location, outcome, connectionId, memberId, seq, id?, connectionKey?);
with --stay entered (memberId, location), left, and status and error as \`watch --help\` has them.
${exitCodes}`,
    )
    .action(
      run<RawPost>(async (raw, ...given) => (await import('./commands/post.js')).post(postCommand(raw), ...given)),
    )
}

function addBroadcast(program: Command, run: Run): void {
  toServer(program.command('broadcast'))
    .description('Send a message to everybody who sees a room now. Nobody gets it later.')
    .argument('<room>', 'the room', roomName)
    .argument('<name>', "the name of the broadcast: one of the server's")
    .argument('[json]', 'its payload; default: null', json('{"emoji":"+1"}'))
    .option('--to <member>', 'the memberId of the one member who receives it')
    .addOption(
      new Option(
        '--key <key>',
        'the key of a connection in the room, from post; default: a new one enters, and leaves',
      ).argParser(key),
    )
    .addOption(new Option('-n, --name <name>', "the member's name; goes into the profile").conflicts('key'))
    .addHelpText(
      'after',
      `
Examples:
  npx hereabouts broadcast demo reaction '{"emoji":"🎉"}'
  npx hereabouts broadcast demo message '"Lunch is ready."' --name Ada --to zW5h_-DPnutow2Jf

JSON lines: sent (room, broadcast, payload, to?). It was sent, not received: who is not in the room now never gets it.
${exitCodes}`,
    )
    .action(async (room: string, broadcast: string, payload: unknown, options: object) => {
      const act = run<BroadcastCommand>(async (command, output) =>
        (await import('./commands/broadcast.js')).broadcast(command, output),
      )
      await act({ ...(options as Omit<BroadcastCommand, 'room'>), room, broadcast, payload: payload ?? null })
    })
}

function addBots(program: Command, run: Run): void {
  inRoom(program.command('bots'))
    .description('Fill a room with bots that move over its sheets, until Ctrl-C. Their names end in (bot).')
    .requiredOption('-c, --count <n>', 'the number of bots', integerFrom(1, 1_000))
    .addOption(
      new Option('--sheets <names>', 'the sheets they move on').default(['Q3', 'Budget'], 'Q3,Budget').argParser(list),
    )
    .addOption(new Option('--rows <n>', 'rows of a sheet').default(100).argParser(integerFrom(1, 1_048_576)))
    .addOption(new Option('--cols <n>', 'columns of a sheet').default(26).argParser(integerFrom(1, 16_384)))
    .addOption(new Option('--rate <n>', 'moves per second of each bot').default(1).argParser(numberFrom(0.01, 20)))
    .addOption(
      new Option('--profile <json>', 'added to their profiles, besides a name').argParser(jsonObject(profileExample)),
    )
    .addOption(new Option('--for <seconds>', 'leave after this long in the room').argParser(numberFrom(0, 1e6)))
    .addHelpText(
      'after',
      `
Examples:
  npx hereabouts bots --count 5 --room demo
  npx hereabouts bots --count 50 --room load --rate 5 --for 60 --json
  npx hereabouts bots --count 3 --room board --sheets Plan --rows 20 --cols 8

JSON lines: live (bots), each second progress (bots, live, posts, refused, seen, seconds), at the end done.
${exitCodes}`,
    )
    .action(run<BotsCommand>(async (...given) => (await import('./commands/bots.js')).bots(...given)))
}

/** Adds the options of every command that connects to the room of `--room`. */
const inRoom = (command: Command) => toServer(command.requiredOption('-r, --room <id>', 'the room', roomName))

/** Adds the options of every command that connects to a server. */
function toServer(command: Command): Command {
  return command
    .addOption(
      new Option('-u, --url <url>', 'the address of the procedures')
        .env('HEREABOUTS_URL')
        .default('http://127.0.0.1:3000/trpc')
        .argParser(httpUrl),
    )
    .option('--path <path>', "the path of the location router in the app's router, such as locations")
    .addOption(
      new Option('-H, --header <line>', "sent with every request: 'name: value'; may be repeated")
        .default({}, 'none')
        .argParser(header),
    )
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for the server')
        .default(10)
        .argParser(numberFrom(0.1, 3_600)),
    )
    .addOption(jsonOption())
    .addOption(textOption())
}

const jsonOption = () => new Option('--json', 'write JSON lines; default when stdout is not a terminal')
const textOption = () => new Option('--no-json', 'write text, even when piped')

type RawPost = Omit<PostCommand, 'profile'> & { profile?: object; name?: string }

function postCommand({ profile, name, ...rest }: RawPost): PostCommand {
  return {
    ...rest,
    profile: profile || name !== undefined ? { ...profile, ...(name !== undefined && { name }) } : undefined,
  }
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
