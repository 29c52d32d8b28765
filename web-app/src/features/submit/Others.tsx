import { ActionIcon, Button } from '@mantine/core'
import { TextInput } from '@/shared/ui/kit/inputs'
import { Icon } from '@/shared/ui/Icon'
import type { FormValues } from './form'
import cx from './submit.module.css'

type OthersProps = { values: FormValues['others']; onValues: (values: FormValues['others']) => void }

/** Parameters of any name, of a service that takes them. */
export function Others({ values, onValues }: OthersProps) {
  const change = (index: number, part: Partial<FormValues['others'][number]>) =>
    onValues(values.map((one, at) => (at === index ? { ...one, ...part } : one)))
  return (
    <div className={cx['others']}>
      {values.map(({ name, value }, index) => (
        // Their order is all that they are known by.
        <div key={index} className={cx['other']}>
          <TextInput
            aria-label="Name"
            placeholder="NAME"
            value={name}
            onChange={({ currentTarget }) => change(index, { name: currentTarget.value })}
          />
          <TextInput
            aria-label="Value"
            placeholder="value"
            value={value}
            onChange={({ currentTarget }) => change(index, { value: currentTarget.value })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={`Remove ${name === '' ? 'this parameter' : name}`}
            onClick={() => onValues(values.filter((_, at) => at !== index))}
          >
            <Icon name="close" />
          </ActionIcon>
        </div>
      ))}
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<Icon name="plus" size={16} />}
        onClick={() => onValues([...values, { name: '', value: '' }])}
      >
        One more
      </Button>
    </div>
  )
}
