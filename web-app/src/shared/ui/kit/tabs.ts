/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/Tabs.layer.css'

export { Tabs } from '@mantine/core'
