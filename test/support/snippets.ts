import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Creates no `URL` object, so that it also works in jsdom tests, where `URL` is the class of jsdom.
export const root = join(dirname(fileURLToPath(import.meta.url)), '../../')

/** A fenced block of a document: ```ts server.ts has the language `ts` and the rest `server.ts`. */
export type Block = { doc: string; line: number; language: string; rest: string; code: string }

export function blocksOf(doc: string): Block[] {
  const blocks: Block[] = []
  let open: (Block & { fence: string; indent: number }) | null = null
  for (const [index, text] of readFileSync(join(root, doc), 'utf8').split('\n').entries()) {
    const [, indent = '', fence, language = '', rest = ''] = /^( *)(```+)(\w*) *(.*)$/.exec(text) ?? []
    if (open && fence?.startsWith(open.fence) && !language && !rest) {
      const { fence: _fence, indent: _indent, ...block } = open
      blocks.push(block)
      open = null
    } else if (open) open.code += `${text.slice(open.indent)}\n`
    else if (fence) open = { doc, line: index + 2, language, rest, code: '', fence, indent: indent.length }
  }
  if (open) throw new Error(`${doc}:${open.line - 1}: the code block that begins here is never closed`)
  return blocks
}

/**
 * Writes the TypeScript of documents as files that a compiler can read, each at the line where the document has it, so
 * that `README.md/line-12.ts(14,3)` is line 14 of README.md. A block that begins with `// continues` is appended to the
 * block before it. A block that names a file (```ts server.ts) can be imported by other blocks of its document.
 */
export function writeSnippets(folder: string, docs: string[]): string[] {
  const files = new Map<string, string>()
  for (const doc of docs) {
    let file: string | null = null
    for (const { language, rest, line, code } of blocksOf(doc)) {
      if (language !== 'ts' && language !== 'tsx') continue
      const continues = code.startsWith('// continues')
      if (continues && !file) throw new Error(`${doc}:${line}: "// continues" has no block before it`)
      if (!continues || !file) file = `${doc}/${/^[\w-]+\.tsx?$/.test(rest) ? rest : `line-${line}.${language}`}`
      const before: string = files.get(file) ?? ''
      files.set(file, before + '\n'.repeat(line - before.split('\n').length) + code)
    }
  }
  for (const [file, source] of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), source)
  }
  return [...files.keys()]
}

/** Creates the folder of a consuming project, with the given packages. */
export function project(folder: string, packages: Record<string, string>, tsconfig: object): void {
  mkdirSync(folder, { recursive: true })
  link(folder, packages)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'somebody-elses', private: true, type: 'module' }))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
}

/** Installs packages as symbolic links. */
export function link(folder: string, packages: Record<string, string>): void {
  for (const [name, target] of Object.entries(packages)) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true })
    symlinkSync(target, join(folder, 'node_modules', name))
  }
}

/** Returns the compiler's errors for a project, or '' if it compiles. */
export function compile(folder: string): string {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  return spawnSync(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  }).stdout.trim()
}
