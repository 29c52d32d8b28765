import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { count } from '@/shared/lib/format'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Card } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { complain, say } from '@/shared/ui/toasts'
import { drain, queueQuery, type Worker } from './api'

const rowId = ({ id }: Worker) => id

export function Workers() {
  const query = useQuery(queueQuery)
  const client = useQueryClient()
  const change = useMutation({
    mutationFn: ({ id, draining }: Worker) => drain(id, !draining),
    onSuccess: ({ draining }) =>
      say(draining ? 'It takes no more jobs; those that it runs go on.' : 'It takes jobs again.'),
    onError: complain,
    onSettled: () => void client.invalidateQueries({ queryKey: queueQuery.queryKey }),
  })
  const { mutate } = change
  const columns = useMemo(
    (): Column<Worker>[] => [
      {
        id: 'host',
        header: 'Machine',
        width: 'minmax(180px, 2fr)',
        cell: ({ host }) => <strong>{host}</strong>,
        sort: ({ host }) => host,
      },
      {
        id: 'state',
        header: 'State',
        width: '130px',
        cell: ({ draining }) => (draining ? 'takes no more' : 'takes jobs'),
      },
      {
        id: 'running',
        named: true,
        header: 'Running',
        width: '110px',
        end: true,
        cell: ({ running, slots }) => `${count(running)} of ${slots == null ? '?' : count(slots)}`,
        sort: ({ running }) => running,
      },
      { id: 'seen', named: true, header: 'Heard', width: '130px', cell: ({ seen }) => <Ago at={seen} /> },
      {
        id: 'started',
        named: true,
        header: 'Began',
        width: '130px',
        cell: ({ started }) => <Ago at={started} />,
        sort: ({ started }) => started,
      },
      {
        id: 'act',
        header: 'Act',
        head: '',
        width: '110px',
        end: true,
        cell: (worker) => (
          <Button size="compact-sm" variant="default" onClick={() => mutate(worker)}>
            {worker.draining ? 'Resume' : 'Drain'}
          </Button>
        ),
      },
    ],
    [mutate],
  )
  return (
    <Loaded query={query} what="Reading the workers">
      {({ workers }) =>
        workers.length === 0 ? (
          <Notice icon="warning" title="No worker lives">
            <p>Jobs wait until one is started with the role worker or all.</p>
          </Notice>
        ) : (
          <Card flush>
            <DataGrid
              label="Workers"
              boxed
              rows={workers}
              columns={columns}
              rowId={rowId}
              total={workers.length}
            />
          </Card>
        )
      }
    </Loaded>
  )
}
