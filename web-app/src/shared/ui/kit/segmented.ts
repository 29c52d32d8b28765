/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/FloatingIndicator.layer.css'
import '@mantine/core/styles/SegmentedControl.layer.css'

export { SegmentedControl } from '@mantine/core'
