import { copyFile, mkdir, mkdtemp, symlink } from 'node:fs/promises'
import { randomBytes, randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Process } from './process.ts'

/** A running Keycloak, and the secret of a client that may do anything. */
export type Keycloak = { address: string; secret: string }

/** The client with which realms are administered. */
export const admin = 'tests'

/** Runs the server until it ends or its standard input is closed, also by the end of the tests; then its folder goes. */
const keeper = `
exec 3<&0 2>&1
home=$1; shift
sh "$home/bin/kc.sh" "$@" 3<&- </dev/null & server=$!
{ cat <&3; kill $server; } >/dev/null 2>&1 & watcher=$!
wait $server
exec >/dev/null 2>&1
kill $watcher
rm -rf "$home"`

/** Starts the distribution that tests/setup/keycloak.sh names, which is not written to. */
export async function startKeycloak(distribution: string): Promise<{ keycloak: Keycloak; process: Process }> {
  const home = await mkdtemp(join(tmpdir(), 'sidereal-e2e-keycloak-'))
  await mkdir(join(home, 'bin'))
  // The script takes for home what it is really in.
  await copyFile(join(distribution, 'bin/kc.sh'), join(home, 'bin/kc.sh'))
  for (const name of ['conf', 'lib', 'providers', 'themes']) {
    await symlink(join(distribution, name), join(home, name))
  }
  const port = await freePort()
  const address = `http://127.0.0.1:${port}`
  const secret = randomBytes(16).toString('hex')
  const options = [
    ...['start', '--optimized', '--cache=local', '--http-enabled=true', '--http-host=127.0.0.1'],
    ...[`--http-port=${port}`, `--hostname=${address}`, '--hostname-backchannel-dynamic=true'],
  ]
  const process = await Process.start('sh', ['-c', keeper, 'keycloak', home, ...options], 'Listening on: ', {
    env: {
      ...globalThis.process.env,
      KC_BOOTSTRAP_ADMIN_CLIENT_ID: admin,
      KC_BOOTSTRAP_ADMIN_CLIENT_SECRET: secret,
      JAVA_OPTS_KC_HEAP: '-Xms256m -Xmx512m',
      // It does not live long enough for the better compiler to pay.
      JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
    },
  })
  return { keycloak: { address, secret }, process }
}

/** One below those that the system gives to whoever asks for any: Keycloak binds it only seconds later. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
