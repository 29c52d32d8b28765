/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/Input.layer.css'
import '@mantine/core/styles/InlineInput.layer.css'
import '@mantine/core/styles/Checkbox.layer.css'

export { TextInput, Checkbox } from '@mantine/core'
