import { Button } from '@mantine/core'
import { Icon } from '@/shared/ui/Icon'
import type { DashboardHistory } from './api'
import { flags } from './parts'
import type { Run } from './Rebuild'
import { Remove } from './Remove'
import cx from './dashboards.module.css'

type WarningsProps = { dashboard: DashboardHistory; run: Run; may: boolean }

/** What is not as it should be with a dashboard, and what an operator can do about it. */
export function Warnings({ dashboard, run, may }: WarningsProps) {
  return flags
    .filter(({ name }) => dashboard[name])
    .map(({ name, word, meaning }) => (
      <div key={name} className={cx['warning']}>
        <Icon name="warning" />
        <strong>{word}</strong>
        <span className={cx['meaning']}>{meaning}</span>
        {may && name === 'held' && !run.busy && (
          <Button variant="default" size="compact-sm" onClick={() => run.start(true)}>
            Publish them all the same
          </Button>
        )}
        {may && name === 'missing' && !run.busy && <Remove dashboard={dashboard} />}
      </div>
    ))
}
