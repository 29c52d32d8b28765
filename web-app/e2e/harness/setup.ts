import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startKeycloak, type Keycloak } from './keycloak.ts'
import { run } from './process.ts'
import { built, chromium, environment, program } from './program.ts'
import { writeImages } from './sky.ts'

declare module 'vitest' {
  // Vitest's types are extended by this name. It must be an interface to be merged.
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions
  interface ProvidedContext {
    /** A data folder whose catalogue has the tests' images. */
    sky: string
    keycloak: Keycloak | undefined
  }
}

/** Once for all files: the images in a catalogue, which each server has a copy of, and Keycloak. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const needs = [
    [program, 'cargo build'],
    [join(built, 'index.html'), 'npm run build'],
    [chromium, 'tests/setup/packages.sh'],
  ] as const
  for (const [file, maker] of needs) {
    await access(file).catch(() => {
      throw new Error(`the browser tests need ${file}, which ${maker} brings`)
    })
  }
  const folder = await mkdtemp(join(tmpdir(), 'sidereal-e2e-sky-'))
  const sky = async () => {
    await writeImages(join(folder, 'images'))
    await run(program, ['ingest', 'sky', join(folder, 'images')], { cwd: folder, env: environment(folder) })
  }
  const distribution = process.env['SIDEREAL_TEST_KEYCLOAK'] ?? ''
  if (distribution === '' && process.env['CI'] !== undefined)
    throw new Error('SIDEREAL_TEST_KEYCLOAK names no folder: the tests of logins would be skipped')
  const [started] = await Promise.all([distribution === '' ? undefined : startKeycloak(distribution), sky()])
  project.provide('sky', join(folder, 'data'))
  project.provide('keycloak', started?.keycloak)
  return async () => {
    await started?.process.close()
    await rm(folder, { recursive: true, force: true })
  }
}
