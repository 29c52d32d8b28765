import type { Plugin } from 'vite'

/** `release.json` names the entry script: a page that runs another one knows that it is old. */
export function release(): Plugin {
  return {
    name: 'sidereal-release',
    apply: 'build',
    generateBundle(_options, bundle) {
      const entry = Object.values(bundle).find((file) => file.type === 'chunk' && file.isEntry)
      if (entry === undefined) return
      this.emitFile({
        type: 'asset',
        fileName: 'release.json',
        source: JSON.stringify({ entry: entry.fileName }),
      })
    },
  }
}
