import { connect, createServer, type AddressInfo, type Server as Listener, type Socket } from 'node:net'

/** A cable between browsers and a server, which can be cut and mended. */
export class Relay {
  private readonly sockets = new Set<Socket>()
  private target: { host: string; port: number } | undefined
  private broken = false

  private constructor(private readonly listener: Listener) {}

  static start(): Promise<Relay> {
    return new Promise((resolve) => {
      const listener = createServer((socket) => relay.join(socket))
      const relay = new Relay(listener)
      listener.listen(0, '127.0.0.1', () => resolve(relay))
    })
  }

  /** What browsers call the server. */
  get address(): string {
    return `http://127.0.0.1:${(this.listener.address() as AddressInfo).port}`
  }

  /** Leads to the server that listens there. */
  to(address: string): void {
    const { hostname, port } = new URL(address)
    this.target = { host: hostname, port: Number(port) }
  }

  /** Ends all connections, and lets nobody through. */
  cut(): void {
    this.broken = true
    for (const socket of this.sockets) socket.destroy()
  }

  mend(): void {
    this.broken = false
  }

  close(): void {
    this.cut()
    this.listener.close()
  }

  private join(socket: Socket) {
    if (this.broken || this.target === undefined) {
      socket.destroy()
      return
    }
    const other = connect(this.target)
    for (const [one, end] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.sockets.add(one)
      one.on('error', () => end.destroy())
      one.on('close', () => {
        this.sockets.delete(one)
        end.destroy()
      })
      one.pipe(end)
    }
  }
}
