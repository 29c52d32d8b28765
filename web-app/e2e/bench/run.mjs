// Runs the measurements of the pages, which are TypeScript, by Vite.
import { runnerImport } from 'vite'

const { module } = await runnerImport(new URL('measure.ts', import.meta.url).pathname)
await module.measure()
