import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '@/shared/lib/format'
import { Card } from '@/shared/ui/Page'
import { Meter } from '@/shared/ui/Meter'
import { Loaded } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { queueQuery } from './api'
import cx from './admin.module.css'

export function Queue() {
  const query = useQuery(queueQuery)
  return (
    <Loaded query={query} what="Reading the queue">
      {({ services, workers }) => {
        const slots = workers.reduce((sum, worker) => sum + (worker.draining ? 0 : (worker.slots ?? 0)), 0)
        const busy = workers.reduce((sum, worker) => sum + worker.running, 0)
        return (
          <>
            <Card title="Places to run">
              <p className={cx['line']}>
                <strong>{count(busy)}</strong> of {count(slots)} taken, on {count(workers.length)}{' '}
                {workers.length === 1 ? 'worker' : 'workers'}
              </p>
              <Meter label="Places taken" done={busy} total={slots} />
            </Card>
            <div className={cx['services']}>
              {services.map(({ service, queued, held, running, oldest }) => (
                <Card
                  key={service}
                  title={service}
                  aside={
                    <Link to="/jobs" search={{ service: [service], owner: '*' }}>
                      Jobs
                    </Link>
                  }
                >
                  <dl className={cx['numbers']}>
                    <div>
                      <dt>Queued</dt>
                      <dd>{count(queued)}</dd>
                    </div>
                    <div>
                      <dt>Running</dt>
                      <dd>{count(running)}</dd>
                    </div>
                    <div>
                      <dt>Held</dt>
                      <dd>{count(held)}</dd>
                    </div>
                  </dl>
                  <p className={cx['dim']}>
                    {oldest == null ? (
                      'Nothing waits.'
                    ) : (
                      <>
                        The oldest that waits was made <Ago at={oldest} />.
                      </>
                    )}
                  </p>
                </Card>
              ))}
            </div>
          </>
        )
      }}
    </Loaded>
  )
}
