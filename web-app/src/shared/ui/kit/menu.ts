/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/Popover.layer.css'
import '@mantine/core/styles/Menu.layer.css'

export { Menu } from '@mantine/core'
