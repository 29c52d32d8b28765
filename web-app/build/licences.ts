import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vite'

type Package = { name: string; version: string; license?: string }

/**
 * What package.json says wrongly. Aladin Lite is under the LGPL from 3.8.0 on (cds-astro/aladin-lite, issue 324 and pull
 * request 335), as its LICENSE and COPYING.LESSER have it; the field was forgotten.
 */
const mended: Record<string, string> = { 'aladin-lite': 'LGPL-3.0-only' }

/** Packages that are delivered as a file of their own have a file of their own for their licence, too. */
const apart = ['aladin-lite']

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
      for (const name of apart) {
        const folder = [...folders].find((one) => one.endsWith(`/${name}`))
        if (folder === undefined) this.error(`${name} is not in the bundle, and has a licence`)
        this.emitFile({ type: 'asset', fileName: `${name}-licence.txt`, source: licence(folder) })
      }
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
  const texts = readdirSync(folder)
    .filter((entry) => /^(licen[cs]e|copying)/i.test(entry))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
  // Some have the same text under two names.
  return [`${name} ${version} (${mended[name] ?? license ?? 'see its text'})`, ...new Set(texts)].join('\n\n')
}
