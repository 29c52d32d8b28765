import { join, resolve } from 'node:path'

/** The program under test. */
export const program = resolve(process.env['SIDEREAL_BIN'] ?? '../target/debug/sidereal')

/** The built app, which the server serves. */
export const built = resolve('dist')

export type Settings = Readonly<Record<string, string>>

/** Times of the engine short enough for tests to be quick. */
const quick: Settings = { SIDEREAL_ENGINE__SWEEP: '0.5', SIDEREAL_ENGINE__GRACE: '1' }

/** Nothing of this process's environment but where programs are. */
export const environment = (folder: string, settings: Settings = {}): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: folder,
  SIDEREAL_DATA_DIR: join(folder, 'data'),
  SIDEREAL_WEB_APP_DIR: built,
  ...quick,
  ...settings,
})

/** Debian's browser, or another by CHROMIUM. */
export const chromium = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
