/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/Overlay.layer.css'
import '@mantine/core/styles/ModalBase.layer.css'
import '@mantine/core/styles/ScrollArea.layer.css'
import '@mantine/core/styles/CloseButton.layer.css'
import '@mantine/core/styles/Modal.layer.css'
import { cspNonce } from '@/shared/config'

// The lock of scrolling below a dialog adds a style element, and looks for the nonce here.
Object.assign(globalThis, { __webpack_nonce__: cspNonce() })

export { Modal } from '@mantine/core'
