import { useQuery } from '@tanstack/react-query'
import { SegmentedControl } from '@/shared/ui/kit/segmented'
import { meQuery } from '@/shared/api/me'
import { serverUrl } from '@/shared/config'
import { shortcutKeys, theme, themes, timeZone, type Theme } from '@/shared/lib/preferences'
import { useStore } from '@/shared/lib/store'
import { CopyBlock } from '@/shared/ui/CopyBlock'
import { Card, Facts, Page } from '@/shared/ui/Page'
import { Quotas } from '@/shared/ui/Quotas'
import { Loaded } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { providerQuery } from './api'
import { Tokens } from './Tokens'
import cx from './profile.module.css'

export function ProfilePage() {
  const query = useQuery(meQuery)
  return (
    <Page title="Profile">
      <Loaded query={query} what="Reading who you are">
        {(me) => (
          <>
            <div className={cx['columns']}>
              <Card title={me.name}>
                <Facts
                  items={[
                    ['Roles', me.roles.join(', ')],
                    ['Known by', knownBy[me.by] ?? me.by],
                    ['Until', me.until == null ? 'no end' : <Ago key="until" at={me.until} />],
                  ]}
                />
              </Card>
              <Card title="What you use">
                <Quotas usage={me.usage} limits={me.limits} />
              </Card>
            </div>
            <Preferences />
            <Tokens local={me.by === 'local'} />
            <Devices />
          </>
        )}
      </Loaded>
    </Page>
  )
}

const knownBy: Record<string, string> = {
  local: 'This machine: nobody signs in',
  session: 'Signed in',
  provider: 'An access token',
  token: 'An API token',
}

function Devices() {
  const { data: provider } = useQuery(providerQuery)
  const server = serverUrl('')
  // What it says of logins must be true.
  if (provider === undefined) return null
  return (
    <Card title="Other machines">
      <p className={cx['text']}>
        {provider.mode === 'oidc'
          ? 'On a machine without a browser, the command line shows an address and a code. Open the address here, enter the code, and it is signed in as you.'
          : 'This server knows everybody on this machine as one person: the command line needs no login.'}
      </p>
      <CopyBlock
        label="Commands for another machine"
        text={
          provider.mode === 'oidc'
            ? `sidereal login --server ${server}\nsidereal job submit cutout POSITIONS=@positions.csv --server ${server} --wait`
            : `sidereal job submit cutout POSITIONS=@positions.csv --server ${server} --wait`
        }
      />
    </Card>
  )
}

const themeNames: Record<Theme, string> = {
  system: 'As the system',
  light: 'Light',
  dark: 'Dark',
  night: 'Night red',
}

function Preferences() {
  return (
    <Card title="This browser">
      <div className={cx['preferences']}>
        <div className={cx['preference']}>
          <span id="theme-label">Theme</span>
          <SegmentedControl
            aria-labelledby="theme-label"
            value={useStore(theme)}
            onChange={(value) => theme.set(value)}
            data={themes.map((value) => ({ value, label: themeNames[value] }))}
          />
        </div>
        <div className={cx['preference']}>
          <span id="zone-label">Times</span>
          <SegmentedControl
            aria-labelledby="zone-label"
            value={useStore(timeZone)}
            onChange={(value) => timeZone.set(value)}
            data={[
              { value: 'utc', label: 'UTC' },
              { value: 'local', label: 'Of this browser' },
            ]}
          />
        </div>
        <div className={cx['preference']}>
          <span id="keys-label">Keys of one letter</span>
          <SegmentedControl
            aria-labelledby="keys-label"
            value={useStore(shortcutKeys)}
            onChange={(value) => shortcutKeys.set(value)}
            data={[
              { value: 'on', label: 'On' },
              { value: 'off', label: 'Off' },
            ]}
          />
        </div>
      </div>
    </Card>
  )
}
