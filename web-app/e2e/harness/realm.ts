import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { inject } from 'vitest'
import { admin, type Keycloak } from './keycloak.ts'
import type { Settings } from './program.ts'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
type Properties = { [name: string]: Json }

/** Nobody is there: until a server is allowed, no login can come back. */
const NOWHERE = 'http://127.0.0.1:1'

/** The password of a test person: `alice` and `bob` (user), `olga` (operator), `ada` (admin), and `norole`. */
export const passwordOf = (user: string) => `${user}'s password`

/** A realm as production has it, with test people, for one file of tests. */
export class Realm {
  private constructor(
    private readonly keycloak: Keycloak,
    private readonly name: string,
    private readonly secret: string,
  ) {}

  static async create(): Promise<Realm> {
    const keycloak = inject('keycloak')
    if (keycloak === undefined) throw new Error('there is no Keycloak')
    const realm = new Realm(
      keycloak,
      `sidereal-${randomBytes(4).toString('hex')}`,
      randomBytes(16).toString('hex'),
    )
    const additions = await readFile(resolve('../tests/it/data/keycloak/test-realm.json'), 'utf8')
    const named = additions.replaceAll('default-roles-sidereal', `default-roles-${realm.name}`)
    const document = merged(await realm.shipped(NOWHERE), JSON.parse(named) as Json)
    await realm.administer('POST', '', { ...(document as Properties), realm: realm.name })
    return realm
  }

  /** What tokens have as `iss`. */
  get issuer(): string {
    return `${this.keycloak.address}/realms/${this.name}`
  }

  /** Settings of a server whose people sign in here. */
  get settings(): Settings {
    return {
      SIDEREAL_AUTH__MODE: 'oidc',
      SIDEREAL_AUTH__ISSUER: this.issuer,
      SIDEREAL_AUTH__CLIENT_SECRET: this.secret,
    }
  }

  /** Lets logins come back to the server at this address, and tells it of logouts. */
  async allow(address: string): Promise<void> {
    const { clients } = (await this.shipped(address)) as { clients: Properties[] }
    const web = clients.find(({ clientId }) => clientId === 'sidereal-web')
    const found = await this.administer('GET', `/${this.name}/clients?clientId=sidereal-web`)
    const [{ id }] = found as [{ id: string }]
    // A change of mappers has a path of its own, and is not needed.
    const rest = Object.fromEntries(Object.entries(web ?? {}).filter(([key]) => key !== 'protocolMappers'))
    await this.administer('PUT', `/${this.name}/clients/${id}`, rest)
  }

  /** Ends all logins of a person; their servers are told. */
  async logOut(user: string): Promise<void> {
    const found = await this.administer('GET', `/${this.name}/users?exact=true&username=${user}`)
    const [{ id }] = found as [{ id: string }]
    await this.administer('POST', `/${this.name}/users/${id}/logout`)
  }

  /** An access token of a person, by a client that only tests have. */
  async token(user: string): Promise<string> {
    const form = { grant_type: 'password', client_id: 'sidereal-test', scope: 'openid' }
    return this.grant(this.name, { ...form, username: user, password: passwordOf(user) })
  }

  private async grant(realm: string, form: Record<string, string>): Promise<string> {
    const url = `${this.keycloak.address}/realms/${realm}/protocol/openid-connect/token`
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
    if (!answer.ok) throw new Error(`no token: ${answer.status} ${await answer.text()}`)
    return ((await answer.json()) as { access_token: string }).access_token
  }

  private async administer(method: string, path: string, body?: Json): Promise<Json> {
    // A new token each time: one that is older than a realm may not touch it.
    const form = { grant_type: 'client_credentials', client_id: admin, client_secret: this.keycloak.secret }
    const token = await this.grant('master', form)
    const answer = await fetch(`${this.keycloak.address}/admin/realms${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? null : (JSON.parse(text) as Json)
  }

  /** The realm file that we ship, with its placeholders filled in. */
  private async shipped(address: string): Promise<Json> {
    const text = await readFile(resolve('../charts/sidereal/files/realm.json'), 'utf8')
    return JSON.parse(
      text
        .replaceAll('${SIDEREAL_PUBLIC_URL}', address)
        .replaceAll('${SIDEREAL_WEB_SECRET}', this.secret)
        .replaceAll('${SIDEREAL_WORKER_SECRET}', randomBytes(16).toString('hex')),
    ) as Json
  }
}

/** Objects are merged, arrays appended, the rest replaced. */
function merged(into: Json, from: Json): Json {
  if (Array.isArray(into) && Array.isArray(from)) return [...into, ...from]
  if (!isObject(into) || !isObject(from)) return from
  const result: Properties = { ...into }
  for (const [name, value] of Object.entries(from)) {
    const old = result[name]
    result[name] = old === undefined ? value : merged(old, value)
  }
  return result
}

const isObject = (value: Json): value is Properties =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
