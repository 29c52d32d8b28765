import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

type Package = { name: string; version: string; license?: string }

/** `licences.txt`: the licence of every package of which a part is in the bundle. */
export function licences(): Plugin {
  return {
    name: 'sidereal-licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const folders = new Set<string>()
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk') continue
        for (const id of file.moduleIds) {
          const folder = packageFolder(id)
          if (folder !== undefined) folders.add(folder)
        }
      }
      const texts = [...folders].sort().map(licence)
      this.emitFile({
        type: 'asset',
        fileName: 'licences.txt',
        source: texts.join('\n\n' + '-'.repeat(78) + '\n\n'),
      })
    },
  }
}

/** The folder of the package that a module belongs to, if it is not ours. */
function packageFolder(id: string): string | undefined {
  if (!id.includes('/node_modules/')) return undefined
  let folder = dirname(id.replace(/^\0/, ''))
  // Folders of a package may have a package.json of their own, without a name.
  while (folder.includes('/node_modules/')) {
    const file = join(folder, 'package.json')
    if (existsSync(file) && 'version' in (JSON.parse(readFileSync(file, 'utf8')) as object)) return folder
    folder = dirname(folder)
  }
  return undefined
}

function licence(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? '' : '\n\n' + readFileSync(join(folder, file), 'utf8').trim()
  return `${name} ${version} (${license ?? 'see its text'})${text}`
}
